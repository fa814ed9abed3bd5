"""`scripts/train.py` as a person runs it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from train_runs import ALONE, ROOT, SMALL, TINY, finished_steps, rows_of, wait_for_rows, wait_until

GAME = (SMALL, "task=ball_sumo")


@pytest.fixture(scope="module")
def whole_run(environment, tmp_path_factory):
    """A run of 40 iterations in one go, checkpoints at 0, 25 and 40."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *TINY, *GAME, "iterations=40", f"run_dir={folder}"]
    subprocess.run(command, env=environment, check=True, timeout=300)
    return folder


@pytest.fixture
def copied_run(whole_run, tmp_path):
    return Path(shutil.copytree(whole_run, tmp_path / "copy"))


def test_a_run_leaves_what_it_says(whole_run):
    names = {path.name for path in whole_run.iterdir()}
    assert {"config.yaml", "metrics.jsonl", "tensorboard", "checkpoints"} <= names
    rows = rows_of(whole_run)
    assert [row["iteration"] for row in rows] == list(range(1, 41))
    assert rows[-1]["arena_steps"] == 40 * 2 * 8 * 4  # two roles


def test_half_a_run_resumed_for_the_other_half_equals_the_whole(train, whole_run, tmp_path):
    status, out, _ = train(*TINY, *GAME, "iterations=20", "run_dir=halves")
    assert status == 0 and "on a CPU physics=native is faster" in out
    status, out, _ = train("resume=halves", "iterations=40")
    assert status == 0 and "resuming halves from the checkpoint of iteration 20" in out
    scripts = [f"python {ROOT / 'scripts' / name}.py run=halves" for name in ("watch", "evaluate", "export")]
    wanted = [f"watch it:  {scripts[0]}", f"rate it:   {scripts[1]}", f"export it: {scripts[2]} out=ball_sumo.npz"]
    assert out.splitlines()[-3:] == wanted
    assert rows_of(tmp_path / "halves") == rows_of(whole_run)


def test_going_back_to_an_earlier_checkpoint_repeats_the_run(train, copied_run, whole_run):
    status, out, _ = train(f"resume={copied_run}", "resume_step=25")
    assert status == 0 and "dropped the checkpoint of iteration 40" in out
    assert rows_of(copied_run) == rows_of(whole_run)


@pytest.mark.slow
def test_a_larger_body_trains_on_several_devices(train):
    # 27 degrees of freedom: without spare threads this hangs.
    arguments = ("task=humanoid_pose", "num_arenas=256", "iterations=2", "devices=2", "run_dir=run")
    assert train(*arguments)[0] == 0


def test_a_league_starts_on_several_devices(train):
    # Initial weights of several learners at once are batched linear algebra: that hung, see `SelfPlay._local_init`.
    size = ("num_arenas=8", "ppo.horizon=4", "ppo.num_minibatches=2", "logger.dump_steps=0")
    arguments = ("league=alphastar", "physics=native", "devices=2", "iterations=1", "run_dir=run")
    assert train(*GAME, *size, *arguments)[0] == 0


@pytest.mark.slow
def test_programs_are_kept_in_the_users_cache_folder_unless_told_otherwise(environment, tmp_path):
    own = {key: value for key, value in environment.items() if key != "JAX_COMPILATION_CACHE_DIR"}
    for keep in ("true", "false"):
        arguments = (*TINY, *GAME, ALONE, "iterations=1", f"compilation_cache={keep}")
        command = [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments]
        home = {"XDG_CACHE_HOME": str(tmp_path / keep), "HOME": str(tmp_path / keep)}
        subprocess.run(command, cwd=tmp_path, env=own | home, check=True, timeout=300)
    assert any((tmp_path / "true").rglob("jit*")) and not (tmp_path / "false" / "mjx-arena").exists()


def test_a_complete_run_is_left_alone(train, copied_run, whole_run):
    status, out, _ = train(f"resume={copied_run}")
    assert status == 0 and "the run is complete; to go on, ask for more than iterations=40" in out
    assert rows_of(copied_run) == rows_of(whole_run)


def test_a_kill_in_the_middle_of_a_save_loses_only_what_followed_the_last_checkpoint(start, train, whole_run, tmp_path):
    process = start(*TINY, *GAME, "iterations=40", "checkpoint_interval=1", "run_dir=runs/ball_sumo/killed")
    run = tmp_path / "runs" / "ball_sumo" / "killed"
    wait_for_rows(run, 8)
    wait_until(lambda: any((run / "checkpoints").glob("*.orbax-checkpoint-tmp*")), poll=0)
    process.kill()
    process.communicate()
    finished, reached = finished_steps(run)[-1], rows_of(run)[-1]["iteration"]
    # The save may have been done with before the signal came.
    assert reached - 1 <= finished <= reached < 40

    status, out, _ = train(*GAME, "resume=latest")
    assert status == 0 and f"from the checkpoint of iteration {finished}" in out
    assert rows_of(run) == rows_of(whole_run)


def test_latest_says_what_it_skips_and_starts_anew_where_nothing_is_left(train, copied_run, tmp_path):
    runs = tmp_path / "runs" / "ball_sumo"
    runs.mkdir(parents=True)
    copied_run.rename(runs / "old")
    native = "physics=native"  # compiles in a third of the time
    status, out, _ = train(*TINY, *GAME, ALONE, native, "resume=latest", "iterations=1", "run_dir=new")
    assert status == 0 and f"skipped {Path('runs/ball_sumo/old')}: league.roles=('learner',): cannot change" in out
    assert "starting a new one" in out and finished_steps(tmp_path / "new") == [0, 1]


@pytest.mark.slow
def test_without_a_platform_to_draw_on_a_run_goes_on_without_films(environment, tmp_path):
    arguments = (*TINY, *GAME, ALONE, "iterations=1", "logger.render_interval=1", "run_dir=run")
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments]
    keys = {"cwd": tmp_path, "env": environment | {"MUJOCO_GL": "foo"}, "capture_output": True, "text": True}
    done = subprocess.run(command, timeout=300, **keys)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count("warning") == 1 and "warning: no films of this run: MUJOCO_GL=foo: " in done.stdout
    assert len(rows_of(tmp_path / "run")) == 1 and not (tmp_path / "run" / "films").exists()


def test_signals_save_and_set_the_status(start, whole_run, tmp_path):
    run, rows = tmp_path / "run", 0
    for number, status, arguments in (
        (signal.SIGTERM, 143, (*TINY, *GAME, "run_dir=run", "iterations=40", "checkpoint_interval=1")),
        (signal.SIGINT, 0, ("resume=run",)),
    ):
        process = start(*arguments)
        wait_for_rows(run, rows + 3)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == status and err == "" and "stopping after this iteration" in out
        rows = rows_of(run)[-1]["iteration"]
        assert rows < 40 and finished_steps(run)[-1] == rows
    assert rows_of(run) == rows_of(whole_run)[:rows]


# Makes the standard input the terminal of this process, which leads a session, and goes on as the command after it.
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def assert_saved_after(process, run):
    """The run has ended by SIGHUP, with its last iteration saved."""
    assert process.wait(timeout=60) == 129
    last = rows_of(run)[-1]["iteration"]
    assert 3 <= last < 9999 and finished_steps(run) == [0, last]


def test_a_terminal_that_is_closed_ends_the_run_with_a_saved_state(environment, whole_run, tmp_path):
    terminal, end = os.openpty()
    command = [sys.executable, "-c", ON_TERMINAL, str(ROOT / "scripts" / "train.py"), *TINY, *GAME]
    command += ["iterations=9999", "checkpoint_interval=9999"]
    streams = {"stdin": end, "stdout": end, "stderr": end, "start_new_session": True}
    process = subprocess.Popen([*command, "run_dir=run"], cwd=tmp_path, env=environment, **streams)
    os.close(end)
    wait_for_rows(tmp_path / "run", 3)
    os.close(terminal)
    assert_saved_after(process, tmp_path / "run")


def test_output_that_nothing_reads_any_more_does_not_end_a_run(start, whole_run, tmp_path):
    often = ("logger.console_seconds=0", "checkpoint_interval=9999")
    process, run = start(*TINY, *GAME, *often, "iterations=9999", "run_dir=run"), tmp_path / "run"
    wait_for_rows(run, 1)
    process.stdout.close()
    process.stderr.close()
    wait_for_rows(run, len(rows_of(run)) + 3)
    process.send_signal(signal.SIGHUP)
    assert_saved_after(process, run)


def test_a_second_interrupt_ends_at_once_while_compiling(start, tmp_path):
    process = start(*TINY, "iterations=41", "run_dir=run")
    wait_until(lambda: finished_steps(tmp_path / "run") == [0])
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert any("stopping after this iteration" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ppo.horizn=3"], "error: ppo.horizn=3: there is no such key; did you mean ppo.horizon?\n"),
        (["num_arenas=0"], "error: num_arenas=0: must be at least 1\n"),
        (
            ["task=chess"],
            "error: task=chess: there is no such task; choose one of ant_battle, ant_sumo, car_soccer, humanoid_duel, "
            "humanoid_pose, qwop\n",
        ),
        (["run_dir=file/run"], "error: run_dir=file/run: cannot write there (Not a directory); name a folder"),
        (["resume=nowhere"], "error: resume=nowhere: is no run's folder"),
        (["resume=milestone:1"], "error: resume=milestone:1: no run under runs/humanoid_duel has milestones"),
        (["phase=2"], "error: phase=2: must lie between 1 and 1\n"),
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
    data = max((copied_run / "checkpoints" / "40" / "state" / "d").iterdir(), key=lambda path: path.stat().st_size)
    data.write_bytes(data.read_bytes()[:100])
    status, _, err = train(f"resume={copied_run}", "iterations=50")
    assert status == 2 and "checkpoint 40" in err and "is damaged" in err and "resume_step=25" in err
    assert len(rows_of(copied_run)) == 40 and "iterations: 40" in (copied_run / "config.yaml").read_text()


def test_a_checkpoint_of_other_shapes_is_refused(train, copied_run):
    config = copied_run / "config.yaml"
    config.write_text(config.read_text().replace("player_pool_length: 4", "player_pool_length: 5"))
    status, _, err = train(f"resume={copied_run}", "iterations=50")
    assert status == 2 and "is of another kind of run" in err and "pool" in err and "[5" in err


@pytest.mark.slow
def test_what_is_learned_may_change_on_resume_and_the_run_says_what_and_when(train, copied_run):
    changes = ("ppo.learning_rate=5e-4", "ppo.learning_rate_schedule=fixed", "task.reward.win=4", "league.delta=0.2")
    status, out, _ = train(f"resume={copied_run}", *changes, "iterations=42")
    assert status == 0
    assert "from iteration 40 on: ppo.learning_rate=0.0005, was 0.001" in out
    assert "from iteration 40 on: task.reward.win=4.0, was 3.0" in out
    [row] = [json.loads(line) for line in (copied_run / "changes.jsonl").read_text().splitlines()]
    assert row["iteration"] == 40 and set(row["changes"]) == {change.partition("=")[0] for change in changes}
    assert [line["learning_rate"] for line in rows_of(copied_run)[40:]] == pytest.approx([5e-4, 5e-4])
    assert "learning_rate: 0.0005" in (copied_run / "config.yaml").read_text()  # so the changes stay


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_devices(train, tmp_path):
    then, now = 1, 2  # and back, with processes: `test_processes.py`
    tiny = [text for text in TINY if not text.startswith("devices=")]
    assert train(*tiny, *GAME, ALONE, f"devices={then}", "iterations=2", "run_dir=run")[0] == 0
    before = rows_of(tmp_path / "run")
    status, out, err = train("resume=run", f"devices={now}", "iterations=4")
    assert status == 0 and f"on {now} devices, not {then}: the matches in play go on there" in out, err
    rows = rows_of(tmp_path / "run")
    assert rows[:2] == before and [row["iteration"] for row in rows] == [1, 2, 3, 4]
    assert rows[2]["league/members"] >= before[-1]["league/members"]
