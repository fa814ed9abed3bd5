"""Phases and milestones of `scripts/train.py`, on the native engine."""

import pytest
from train_runs import TINY, finished_steps, rows_of, wait_for_rows, wait_until

SOCCER = (
    "task=car_soccer",
    "physics=native",
    *TINY[:5],
    TINY[-1],
    "task.observe=[ball,self]",
    "logger.render_interval=null",
)


@pytest.mark.slow
def test_a_run_killed_in_its_second_phase_goes_on_there_and_milestones_stay(start, train, tmp_path):
    limits = ("task.phases.0.arena_steps=64", "milestone_interval=96", "checkpoint_interval=2", "iterations=60")
    process = start(*SOCCER, *limits)
    wait_until(lambda: any(tmp_path.glob("runs/car_soccer/*/metrics.jsonl")))
    run = next(tmp_path.glob("runs/car_soccer/*"))
    wait_for_rows(run, 7)
    process.kill()
    process.communicate()
    before, kept = rows_of(run), sorted(path.name for path in run.glob("milestones/*/*"))
    finished = finished_steps(run)[-1]
    assert [row["phase"] for row in before[:5]] == [1, 1, 2, 2, 2] and finished >= 4 and "9.6e-05M" in kept

    status, out, _ = train("task=car_soccer", "resume=latest", f"iterations={len(before)}")
    assert status == 0 and "phase 2 of 5, FirstTouch" in out and f"of iteration {finished}" in out
    assert rows_of(run) == before  # those after the checkpoint were played again, from the same weights
    assert set(kept) <= {path.name for path in run.glob("milestones/*/*")}


@pytest.mark.slow
def test_a_milestone_starts_a_run_in_the_phase_that_is_named(train, tmp_path):
    assert train(*SOCCER, "milestone_interval=96", "iterations=4")[0] == 0
    back = ("resume=milestone:1", "run_dir=back", "iterations=6", "phase=3", "debug=actions+reset")
    status, out, _ = train("task=car_soccer", *back)
    assert status == 0 and "phase 3 of 5" in out
    assert out.count("debug actions: match 2, step ") == 4 and out.count("debug reset:   ball at (") == 3
    assert rows_of(tmp_path / "back")[-1]["phase"] == 3
