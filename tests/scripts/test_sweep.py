"""A sweep as a person runs it, killed in the middle and started again."""

import csv
import signal

from train_runs import ALONE, TINY, finished_steps, rows_of, wait_until

SWEEP = ("-m", *TINY, ALONE, "seed=0,1,2", "iterations=8", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1")


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
