"""Milestones are whole, stay, and can be chosen."""

import json
import math

import pytest

from league.run import folder as run_folder
from league.run import milestones
from league.run.milestones import Milestones
from mjx_arena.validation import SettingError

ROW = {"iteration": 4, "arena_steps": 2_150_000, "phase": 2, "episode_return": 1.5, "entropy": math.nan, "kl": 0.02}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_run(name="first"):
    run = run_folder.RUNS / "toy" / name
    checkpoint = run / "checkpoints" / "4"
    checkpoint.mkdir(parents=True)
    (checkpoint / "commit_success.txt").touch()
    (checkpoint / "weights").write_text("w")
    (run / "config.yaml").write_text("task: toy")
    return run, checkpoint


def test_one_is_due_in_every_interval():
    kept = Milestones(run_folder.RUNS, 100)
    assert [kept.due(before, before + 30) for before in (0, 60, 90, 120, 180)] == [False, False, True, False, True]


def test_a_milestone_is_a_run_of_its_own():
    run, checkpoint = make_run()
    folder = Milestones(run, 1_000_000).keep("Phase2-Score", checkpoint, ROW)
    assert folder == run / "milestones" / "Phase2-Score" / "2M"
    (checkpoint / "weights").unlink()  # rotation takes the checkpoint
    assert run_folder.finished_steps(folder) == [4] and run_folder.find(str(folder)) == folder
    assert (folder / "checkpoints" / "4" / "weights").read_text() == "w"
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["phase"] == 2 and meta["kl"] == 0.02 and "entropy" not in meta and "jax" in meta["versions"]
    assert milestones.is_milestone(folder) and not milestones.is_milestone(run)

    other = run_folder.RUNS / "toy" / "second"
    other.mkdir()
    milestones.start_from(folder, other)
    assert run_folder.finished_steps(other) == [4] and not milestones.is_milestone(other)


def test_what_cannot_be_written_leaves_nothing_half_made():
    run, checkpoint = make_run()
    (run / "config.yaml").unlink()
    with pytest.raises(OSError):
        Milestones(run, 1_000_000).keep("Phase1-Touch", checkpoint, ROW)
    assert list((run / "milestones" / "Phase1-Touch").iterdir()) == []


def test_one_is_chosen_by_its_number_or_by_asking():
    run, checkpoint = make_run()
    folders = [Milestones(run, 1_000_000).keep(label, checkpoint, ROW) for label in ("Phase1-A", "Phase2-B")]
    found = [milestone.folder for milestone in milestones.of_task("toy")]
    assert sorted(found) == sorted(folders)
    assert milestones.choose("milestone:2", "toy") == found[1]
    asked = []
    assert milestones.choose("milestone", "toy", lambda question: asked.append(question) or "1") == found[0]
    assert "Phase1-A/2M (2.15M arena steps" in asked[0] and "mean return 1.5" in asked[0]
    for wrong in ("milestone", "milestone:3", "milestone:x"):
        with pytest.raises(SettingError, match=rf"resume={wrong}: choose one by resume=milestone:<number> of\n  1  "):
            milestones.choose(wrong, "toy")
    with pytest.raises(SettingError, match="no run under runs/other has milestones; set milestone_interval"):
        milestones.choose("milestone:1", "other")
