"""A sweep as a person runs it, killed in the middle and started again."""

import csv
import json
import signal
import subprocess
import sys

import pytest
from train_runs import ALONE, ROOT, SMALL, TINY, finished_steps, rows_of, wait_until

LAUNCHER = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
SWEEP = ("-m", *TINY, ALONE, SMALL, "physics=native", "seed=0,1,2", "iterations=8", *LAUNCHER)


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on_and_ends_with_its_table(start, train, tmp_path):
    process = start(*SWEEP)
    wait_until(lambda: any(8 in finished_steps(path) for path in tmp_path.glob("runs/sweeps/*/seed=0")))
    [first] = tmp_path.glob("runs/sweeps/*/seed=0")
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = (first / "metrics.jsonl").stat().st_mtime_ns
    status, out, err = train(*SWEEP)
    assert status == 0, err
    assert (first / "metrics.jsonl").stat().st_mtime_ns == written and "the run is complete" in out
    assert "3 runs in runs/sweeps/" in out
    rows = list(csv.DictReader((first.parent / "sweep.csv").open()))
    assert [row["seed"] for row in rows] == ["0", "1", "2"] and all(row["iteration"] == "8" for row in rows)
    assert [row["folder"] for row in rows] == [
        str(path.relative_to(tmp_path)) for path in sorted(first.parent.glob("seed*"))
    ]
    assert rows_of(first) != rows_of(first.parent / "seed=1")


@pytest.mark.parametrize("launcher", ["joblib", pytest.param("submitit_local", marks=pytest.mark.slow)])
def test_every_command_sweeps_by_other_launchers(environment, tmp_path, launcher):
    rows = [{"iteration": step, "arena_steps": step, "entropy": 1 / step} for step in range(1, 9)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ("-m", f"runs=[{tmp_path}]", "keys=[entropy]", "smoothing=1,4", f"hydra/launcher={launcher}")
    command = [sys.executable, str(ROOT / "scripts" / "plot.py"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "curves.png").stat().st_size > 1000
    assert (
        "2 runs in" in done.stdout
        and "smoothing=4" in done.stdout
        and "submitit" not in done.stdout.split("runs in")[1]
    )
