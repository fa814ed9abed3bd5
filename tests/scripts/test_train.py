"""`scripts/train.py` as a person runs it. Every start compiles, so the starts share a compilation cache."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    "num_arenas=8",
    "ppo.horizon=4",
    "ppo.actor_hidden=[16]",
    "ppo.critic_hidden=[16]",
    "league.pool_slots=3",
    "league.snapshot_interval=3",
    "devices=1",
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    return os.environ | cache | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def start(environment, tmp_path):
    """Starts the script in a folder of its own; whatever still runs at the end of the test is killed."""
    processes = []

    def run(*arguments):
        command = [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def train(start):
    """Runs the script to its end; returns status, stdout and stderr, the latter never with a traceback."""

    def run(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=300)
        assert "Traceback" not in err
        return process.returncode, out, err

    return run


@pytest.fixture(scope="module")
def whole_run(environment, tmp_path_factory):
    """A run of 20 iterations in one go, checkpoints at 0, 15 and 20."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *TINY, "iterations=20", "checkpoint_interval=15"]
    subprocess.run([*command, f"run_dir={folder}"], env=environment, check=True, timeout=300)
    return folder


@pytest.fixture
def copied_run(whole_run, tmp_path):
    return Path(shutil.copytree(whole_run, tmp_path / "copy"))


def rows_of(folder):
    """The log without its timing, which alone may differ between equal runs."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if not key.startswith("time/")} for row in rows]


def wait_for_rows(folder, count):
    deadline = time.monotonic() + 300
    while not (folder / "metrics.jsonl").exists() or len(rows_of(folder)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_leaves_what_it_says(whole_run):
    names = {path.name for path in whole_run.iterdir()}
    assert {"config.yaml", "metrics.jsonl", "tensorboard", "checkpoints"} <= names
    rows = rows_of(whole_run)
    assert [row["iteration"] for row in rows] == list(range(1, 21))
    assert rows[-1]["arena_steps"] == 20 * 8 * 4


def test_ten_iterations_resumed_for_ten_more_equal_twenty(train, whole_run, tmp_path):
    assert train(*TINY, "iterations=10", "run_dir=halves")[0] == 0
    status, out, _ = train("resume=halves", "iterations=20")
    assert status == 0 and "resuming halves from the checkpoint of iteration 10" in out
    assert rows_of(tmp_path / "halves") == rows_of(whole_run)


def test_going_back_to_an_earlier_checkpoint_repeats_the_run(train, copied_run, whole_run):
    status, out, _ = train(f"resume={copied_run}", "resume_step=15")
    assert status == 0 and "dropped the checkpoint of iteration 20" in out
    assert rows_of(copied_run) == rows_of(whole_run)


def test_a_complete_run_is_left_alone(train, copied_run, whole_run):
    status, out, _ = train(f"resume={copied_run}")
    assert status == 0 and "the run is complete; to go on, ask for more than iterations=20" in out
    assert rows_of(copied_run) == rows_of(whole_run)


def test_a_kill_at_any_moment_loses_only_what_followed_the_last_checkpoint(start, train, whole_run, tmp_path):
    process = start(*TINY, "iterations=100000", "checkpoint_interval=1", "run_dir=runs/humanoid_duel/killed")
    run = tmp_path / "runs" / "humanoid_duel" / "killed"
    wait_for_rows(run, 8)
    process.kill()
    process.communicate()
    finished = max(int(path.parent.name) for path in run.glob("checkpoints/*/commit_success.txt"))
    reached = rows_of(run)[-1]["iteration"]
    assert reached - 1 <= finished <= reached

    status, out, _ = train("resume=latest", f"iterations={reached + 12}", "checkpoint_interval=1000")
    assert status == 0 and f"from the checkpoint of iteration {finished}" in out
    rows = rows_of(run)
    assert [row["iteration"] for row in rows] == list(range(1, reached + 13))
    assert rows[:20] == rows_of(whole_run)


def test_signals_save_and_set_the_status(start, tmp_path):
    run = tmp_path / "run"
    for number, status, arguments in (
        (signal.SIGTERM, 143, (*TINY, "run_dir=run", "iterations=100000", "checkpoint_interval=100000")),
        (signal.SIGINT, 0, ("resume=run",)),
    ):
        process = start(*arguments)
        wait_for_rows(run, len(rows_of(run)) + 3 if run.exists() else 3)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == status and err == ""
        saved = rows_of(run)[-1]["iteration"]
        assert f"saved checkpoint {saved}" in out
        assert (run / "checkpoints" / str(saved) / "commit_success.txt").exists()


def test_a_second_interrupt_ends_at_once(start, tmp_path):
    process = start(*TINY, "iterations=100000", "run_dir=run")
    wait_for_rows(tmp_path / "run", 1)
    process.send_signal(signal.SIGSTOP)  # so that both arrive before it can finish
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (130, 0, 143)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ppo.horizn=3"], "error: ppo.horizn=3: there is no such key; did you mean ppo.horizon?\n"),
        (["num_arenas=0"], "error: num_arenas=0: must be at least 1\n"),
        (["task=chess"], "error: task=chess: there is no such task; choose one of humanoid_duel\n"),
        (["run_dir=file/run"], "error: run_dir=file/run: cannot write there (Not a directory); name a folder"),
        (["resume=nowhere"], "error: resume=nowhere: is no run's folder"),
        (["resume=latest"], "error: resume=latest: no run under runs/humanoid_duel has a finished checkpoint"),
    ],
)
def test_what_cannot_work_ends_with_one_message(train, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    status, out, err = train(*arguments)
    assert status == 2 and out == "" and err.startswith(message) and err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_resuming_with_another_size_is_refused(train, copied_run):
    status, _, err = train(f"resume={copied_run}", "num_arenas=16")
    assert status == 2 and err.startswith("error: num_arenas=16: cannot change on resume, the run has 8")


def test_a_damaged_checkpoint_is_refused_and_nothing_changes(train, copied_run):
    data = max((copied_run / "checkpoints" / "20" / "state" / "d").iterdir(), key=lambda path: path.stat().st_size)
    data.write_bytes(data.read_bytes()[:100])
    status, _, err = train(f"resume={copied_run}", "iterations=30")
    assert status == 2 and "checkpoint 20" in err and "is damaged" in err and "resume_step=15" in err
    assert len(rows_of(copied_run)) == 20 and "iterations: 20" in (copied_run / "config.yaml").read_text()


def test_a_checkpoint_of_other_shapes_is_refused(train, copied_run):
    config = copied_run / "config.yaml"
    config.write_text(config.read_text().replace("pool_slots: 3", "pool_slots: 4"))
    status, _, err = train(f"resume={copied_run}", "iterations=30")
    assert status == 2 and "is of another kind of run" in err and "pool" in err and "[4" in err
