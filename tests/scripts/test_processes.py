"""Runs of several processes, on this machine and on hosts, as a person starts them and as they die."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from train_runs import ALONE, ROOT, SMALL, TINY, finished_steps, rows_of, wait_for_rows

from league.run.dump_file import open_dump

SETTINGS = [
    *(text for text in TINY if not text.startswith("devices=")),
    ALONE,
    SMALL,
    "physics=native",
    "logger.render_interval=null",
]
INTERVAL = 3
SETTINGS += [f"checkpoint_interval={INTERVAL}"]
ENDLESS = (*SETTINGS, "iterations=100000", "run_dir=run")

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two cores"
)


def further_process(process):
    """Returns the process id of the further process of a run of two."""
    parent = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(parent) as file:
        children = [int(child) for child in file.read().split()]
    return next(child for child in children if b"league.commands.follow" in open(f"/proc/{child}/cmdline", "rb").read())


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for_end(pid, seconds=20):
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill(process, run, first_dies):
    """Kills one of two processes; returns the last checkpoint after both are gone, with one message."""
    further = further_process(process)
    os.kill(process.pid if first_dies else further, signal.SIGKILL)
    wait_for_end(further if first_dies else process.pid)
    _, err = process.communicate()
    number, dead, how = (0, process.pid, "has died") if first_dies else (1, further, "was ended by SIGKILL")
    last = finished_steps(run)[-1]
    assert err == (
        f"error: process {number} of 2 (pid {dead}) {how}; the last checkpoint is of iteration {last}, "
        "go on from it by resume=run\n"
    )
    assert process.returncode == (-signal.SIGKILL if first_dies else 1)
    assert rows_of(run)[-1]["iteration"] - last <= INTERVAL
    return last


def test_a_further_process_that_dies_ends_the_run_with_one_message(start, tmp_path):
    process, run = start(*ENDLESS, "processes=2"), tmp_path / "run"
    wait_for_rows(run, 5)
    kill(process, run, first_dies=False)


@pytest.mark.slow
def test_a_run_goes_on_bit_for_bit_after_a_further_process_has_died_and_then_as_one(start, train, tmp_path):
    process, run = start(*ENDLESS, "processes=2"), tmp_path / "run"
    wait_for_rows(run, 5)
    before, last = rows_of(run), kill(process, run, first_dies=False)
    status, out, err = train("resume=run", f"iterations={last + 2}")
    assert (status, err) == (0, "") and "on 2 x cpu" not in out and "afresh" not in out and "Gloo" not in out
    after = rows_of(run)
    assert [row["iteration"] for row in after] == list(range(1, last + 3))
    shared = min(len(before), len(after))
    assert shared >= 4 and after[:shared] == before[:shared]

    status, out, err = train("resume=run", "processes=1", "devices=1", f"iterations={last + 3}")
    assert (status, err) == (0, "") and "on 1 devices, not 2: the matches in play go on there" in out
    assert rows_of(run)[:-1] == after


@pytest.mark.slow
def test_a_run_goes_on_with_two_processes_and_ends_with_the_first(start, train, tmp_path):
    assert train(*SETTINGS, "devices=1", "iterations=2", "run_dir=run")[0] == 0
    process, run = start("resume=run", "processes=2", "iterations=100000"), tmp_path / "run"
    wait_for_rows(run, 4)
    kill(process, run, first_dies=True)


@pytest.mark.slow
def test_an_interrupt_to_both_saves_once_and_ends_both(environment, tmp_path):
    script = [sys.executable, str(ROOT / "scripts" / "train.py"), *ENDLESS, "processes=2", "checkpoint_interval=100000"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(script, cwd=tmp_path, env=environment, start_new_session=True, **pipes)
    run = tmp_path / "run"
    wait_for_rows(run, 2)
    further = further_process(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.count("saved checkpoint") == out.count("stopping after this iteration") == 1
    assert finished_steps(run)[-1] == rows_of(run)[-1]["iteration"] and not is_alive(further)


def test_a_number_that_does_not_split_ends_both_with_one_message(train):
    settings = [text for text in SETTINGS if not text.startswith("num_arenas=")]
    status, out, err = train(*settings, "processes=2", "num_arenas=9")
    assert status == 2 and out == "" and err.startswith("error: num_arenas=9: must be a multiple of devices=2")
    assert err.count("\n") == 1


@pytest.fixture
def hosts():
    """Two network namespaces joined by a cable, where this machine allows it, else this machine twice.

    Returns the command before a process's own on each of them, and an address of the first.
    """
    name = f"arena{os.getpid() % 10000}"
    ends, links = [f"{name}a", f"{name}b"], [f"{name}va"[-15:], f"{name}vb"[-15:]]
    addresses = ["10.77.0.1", "10.77.0.2"]
    steps = [["ip", "netns", "add", end] for end in ends]
    steps += [["ip", "link", "add", links[0], "type", "veth", "peer", "name", links[1]]]
    for end, link, address in zip(ends, links, addresses, strict=True):
        steps += [
            ["ip", "link", "set", link, "netns", end],
            ["ip", "-n", end, "addr", "add", f"{address}/24", "dev", link],
        ]
        steps += [["ip", "-n", end, "link", "set", device, "up"] for device in ("lo", link)]
    made = shutil.which("ip") and os.geteuid() == 0
    for step in steps if made else ():
        made = made and subprocess.run(step, capture_output=True).returncode == 0
    folders = [f"/etc/netns/{end}" for end in ends] if made else []
    for folder, address in zip(folders, addresses, strict=False):
        os.makedirs(folder)
        with open(f"{folder}/hosts", "w") as file:
            file.write(f"127.0.0.1 localhost\n{address} {socket.gethostname()}\n")
    yield ([["ip", "netns", "exec", end] for end in ends], addresses[0]) if made else ([[], []], "127.0.0.1")
    for end in ends:
        subprocess.run(["ip", "netns", "del", end], capture_output=True) if shutil.which("ip") else None
    for folder in folders:
        shutil.rmtree(folder)


def test_two_hosts_train_one_run_and_end_together(environment, tmp_path, hosts):
    before, address = hosts
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    joined = (f"distributed.coordinator={address}:{port}", "distributed.num_processes=2")
    script = [
        sys.executable,
        str(ROOT / "scripts" / "train.py"),
        *ENDLESS,
        "checkpoint_interval=100000",
        "devices=2",
        *joined,
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [
        subprocess.Popen(
            [*before[index], *script, f"distributed.process_id={index}"], cwd=tmp_path, env=environment, **pipes
        )
        for index in (0, 1)
    ]
    try:
        wait_for_rows(tmp_path / "run", 2)
        started[1].send_signal(signal.SIGUSR1)  # `ip netns exec` has become the process itself
        ended = [process.communicate(timeout=60) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [128 + signal.SIGUSR1] * 2, ended
    assert ended[0][0].count("saved checkpoint") == 1 and ended[1][0] == ""
    assert finished_steps(tmp_path / "run")[-1] == rows_of(tmp_path / "run")[-1]["iteration"]
    assert "coordinator: null" in (tmp_path / "run" / "config.yaml").read_text()


@pytest.mark.slow
def test_arenas_that_break_in_any_process_are_dumped_once(train, tmp_path):
    arguments = [text for text in SETTINGS if text not in (SMALL, "num_arenas=8", "logger.dump_steps=0")]
    game = f"game_file={ROOT / 'tests' / 'exploding_balls.py'}"
    status, out, err = train(*arguments, game, "processes=2", "num_arenas=24", "iterations=3", "run_dir=run")
    assert (status, err) == (0, "") and out.count("record.py dump=run/nonfinite-2.npz") == 1
    dump = open_dump(tmp_path / "run" / "nonfinite-2.npz")
    assert [path.name for path in (tmp_path / "run").glob("*.npz")] == ["nonfinite-2.npz"]
    assert {broken.device for broken in dump.arenas} == {0, 1}
