"""The wheel, installed into a folder of its own: its command, its configuration, and a game from elsewhere."""

import os
import subprocess
import sys

import pytest
from train_runs import ALONE, ROOT, TINY


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the wheel and nothing else; the packages that it needs are those of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(ROOT)], check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    assert wheel.stat().st_size < 6_000_000  # with the champions
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    assert (folder / "site" / "mjx_arena" / "page" / "web" / "three.js").is_file()
    return folder / "site"


@pytest.fixture
def command(installed, environment, tmp_path):
    def run(*arguments):
        own = environment | {"PYTHONPATH": str(installed)}
        call = [sys.executable, str(installed / "bin" / "mjx-arena"), *arguments]
        done = subprocess.run(call, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=300)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def test_the_command_trains_in_an_empty_folder(command, tmp_path):
    arguments = ("task=qwop", "physics=native", "league.mirror_fraction=1", "iterations=2", "run_dir=run")
    status, _, err = command("train", *TINY, ALONE, *arguments, "devices=1")
    assert (status, err) == (0, "") and (tmp_path / "run" / "metrics.jsonl").read_text().count("\n") == 2


@pytest.mark.slow
def test_the_example_game_trains_and_is_evaluated_and_exported(command, tmp_path):
    game = ROOT / "examples" / "ball_sumo.py"
    status, _, err = command(
        "train", *TINY, ALONE, f"game_file={game}", "physics=native", "iterations=2", "run_dir=run", "devices=1"
    )
    assert (status, err) == (0, "")
    status, out, err = command("evaluate", "run=run", "pairings=[idle]", "matches=8", "out=scores")
    assert status == 0 and "idle" in out, err
    assert command("export", "run=run", "out=policy.npz")[0] == 0
    status, out, err = command("evaluate", "run=policy.npz", "pairings=[idle]", "matches=8", "out=scores")
    assert status == 2 and "task=ball_sumo: there is no such task" in err and "set game_file" in err
    arguments = ("run=policy.npz", f"game_file={game}", "pairings=[idle]", "matches=8", "out=scores")
    assert command("evaluate", *arguments)[0] == 0


def test_without_a_command_it_says_which_there_are(command):
    status, out, _ = command()
    assert status == 0 and "train|watch|evaluate|record|export|plot|report|benchmark" in out
    assert os.linesep.join(command("fly")[1].splitlines()) == out.strip()
