import os
import subprocess
import sys
from pathlib import Path

import pytest

from league.run import folder as run_folder
from mjx_arena.validation import SettingError


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_run(folder, steps, written_at=0):
    folder.mkdir(parents=True)
    run_folder.write_config(folder, {"seed": 1})
    for step in steps:
        (folder / "checkpoints" / str(step)).mkdir(parents=True)
        finished = folder / "checkpoints" / str(step) / "commit_success.txt"
        finished.touch()
        os.utime(finished, (written_at, written_at))
    return folder


def test_runs_lie_under_their_task_and_never_share_a_folder(monkeypatch):
    monkeypatch.setattr(run_folder.time, "strftime", lambda _: "2026-01-02_03-04-05")
    folders = [run_folder.create(None, "duel") for _ in range(3)]
    assert [str(folder) for folder in folders] == [
        "runs/duel/2026-01-02_03-04-05" + suffix for suffix in ("", "-2", "-3")
    ]
    assert all(folder.is_dir() and not any(folder.iterdir()) for folder in folders)


def test_a_folder_that_holds_a_run_is_not_started_anew(tmp_path):
    make_run(tmp_path / "mine", [0])
    with pytest.raises(SettingError, match=r"run_dir=.*mine: there is a run .* resume=.*mine"):
        run_folder.create(str(tmp_path / "mine"), "duel")


def test_a_folder_whose_run_never_finished_a_checkpoint_can_be_used_again(tmp_path):
    make_run(tmp_path / "mine", [])
    assert run_folder.create(str(tmp_path / "mine"), "duel") == tmp_path / "mine"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"run_dir=.*: cannot write there .*; name a folder"):
        run_folder.create(str(tmp_path / "file" / "run"), "duel")


def test_latest_is_the_run_with_the_newest_finished_checkpoint():
    runs = run_folder.RUNS / "duel"
    make_run(runs / "b", [0, 25], written_at=1000)
    newest = make_run(runs / "a", [0, 100], written_at=2000)
    make_run(runs / "c", [], written_at=3000)
    make_run(run_folder.RUNS / "sumo" / "d", [0], written_at=4000)
    assert run_folder.newest("duel") == [newest, runs / "b"]
    assert run_folder.finished_steps(newest) == [0, 100]


def test_unfinished_checkpoints_do_not_count(tmp_path):
    run = make_run(tmp_path / "run", [0])
    (run / "checkpoints" / "25.orbax-checkpoint-tmp").mkdir()
    (run / "checkpoints" / "50").mkdir()
    assert run_folder.finished_steps(run) == [0]


@pytest.mark.parametrize(
    ("resume", "message"),
    [
        ("nowhere", "resume=nowhere: is no run's folder: it holds no config.yaml"),
        ("unfinished", "resume=unfinished: holds no finished checkpoint; start the run anew with run_dir=unfinished"),
    ],
)
def test_what_cannot_be_resumed_is_refused(tmp_path, resume, message):
    make_run(tmp_path / "unfinished", [])
    with pytest.raises(SettingError) as error:
        run_folder.find(resume)
    assert str(error.value).startswith(message)


def test_settings_come_back_and_broken_ones_are_refused(tmp_path):
    run_folder.write_config(tmp_path, {"learning_rate": 1e-5, "hidden": [1, 2], "stop": None})
    assert run_folder.read_config(tmp_path) == {"learning_rate": 1e-5, "hidden": [1, 2], "stop": None}
    (tmp_path / "config.yaml").write_text("a: [1")
    with pytest.raises(SettingError, match=r"its config\.yaml cannot be read"):
        run_folder.read_config(tmp_path)


def test_a_second_process_is_kept_out_until_the_first_ends(tmp_path):
    program = (
        "import sys; from pathlib import Path; from league.run import folder\n"
        "with folder.locked(Path(sys.argv[1])):\n"
        "    print('locked', flush=True); sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    root = Path(run_folder.__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=root, **pipes) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(SettingError, match="another process is training there"), run_folder.locked(tmp_path):
            pass
        other.kill()
    with run_folder.locked(tmp_path):
        pass
