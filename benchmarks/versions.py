"""Times whole training runs of this code and of another commit's in turn: `python benchmarks/versions.py 69d36ba`.

Both sides run with this Python, so with the same packages, each with a cache of compiled programs of its own. The first
run of each side, which compiles, is shown as the cold start; the others give medians and the ratios of those.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
TASKS = ("humanoid_duel", "car_soccer", "qwop", "ant_sumo")
QUIET = (
    "logger.tensorboard=false",
    "logger.render_interval=null",
    "logger.console=false",
    "checkpoint_interval=100000",
)
_WARM_UP = 3  # iterations at the start of a run that do not count


def main() -> None:
    """Prints a table for each task and engine, and writes the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--engines", nargs="+", default=["native"])
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side after the first")
    parser.add_argument("--iterations", type=int, default=23, help="of each run; the first 3 do not count")
    parser.add_argument("--set", nargs="*", default=[], dest="overrides", help="overrides of both sides")
    parser.add_argument("--now", nargs="*", default=[], help="overrides of this code alone")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", tree, arguments.commit], cwd=ROOT, check=True)
        try:
            for engine in arguments.engines:
                for task in arguments.tasks:
                    overrides = [f"task={task}", f"physics={engine}", *arguments.overrides]
                    sides = {arguments.commit: (tree, overrides), "now": (ROOT, [*overrides, *arguments.now])}
                    figures[f"{task} {engine}"] = compared(sides, arguments, Path(folder) / f"{task}-{engine}")
                    if arguments.json:
                        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)


def compared(sides: dict[str, tuple[Path, list[str]]], arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Runs the sides in turn; prints their figures and returns them by side."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for index in range(arguments.rounds + 1):
        for name, (tree, overrides) in sides.items():
            cache = folder / f"cache-{name}"
            runs[name].append(timed(tree, overrides, arguments.iterations, cache, folder / f"run-{name}-{index}"))
    figures = {name: summary(of_side) for name, of_side in runs.items()}
    before, now = figures.values()
    ratios = {key: before[key] / now[key] for key in before}
    table = Table(title=folder.name)
    for column in ("", *figures, "times as fast, or as small"):
        table.add_column(column, justify="right" if column else "left")
    for key in before:
        table.add_row(key.replace("_", " "), f"{before[key]:.4g}", f"{now[key]:.4g}", f"{ratios[key]:.3f}")
    Console().print(table)
    return figures | {"ratio": ratios}


def summary(runs: list[dict[str, float]]) -> dict[str, float]:
    """Returns medians over all runs but the first, and the first one's start."""
    return {"cold_start_seconds": runs[0]["start_seconds"]} | {
        key: median(run[key] for run in runs[1:]) for key in runs[0]
    }


def timed(tree: Path, overrides: list[str], iterations: int, cache: Path, run: Path) -> dict[str, float]:
    """Returns the figures of one run of `tree`'s code; exits the program if it fails."""
    command = [sys.executable, "scripts/train.py", *overrides, *QUIET, f"iterations={iterations}", f"run_dir={run}"]
    environment = os.environ | {"PYTHONPATH": str(tree), "JAX_COMPILATION_CACHE_DIR": str(cache)}
    started, first, memory = time.monotonic(), None, 0
    with subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL) as process:
        log = run / "metrics.jsonl"
        while process.poll() is None:
            if first is None and log.exists() and log.stat().st_size:
                first = time.monotonic() - started
            memory = max(memory, memory_of(process.pid)) if first else 0
            time.sleep(0.05 if first is None else 1)
    if process.returncode or first is None:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    seconds = [json.loads(line)["time/iteration_seconds"] for line in log.read_text(encoding="utf-8").splitlines()]
    return {
        "start_seconds": first,
        "iteration_seconds": median(seconds[_WARM_UP:]),
        "memory_gibibytes": memory / 2**30,
    }


def memory_of(pid: int) -> int:
    """Returns the bytes of memory of a process and its descendants, shared pages counted once; 0 off Linux."""
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
        for thread in Path(f"/proc/{pid}/task").iterdir():
            total += sum(memory_of(int(child)) for child in (thread / "children").read_text().split())
    except OSError:  # it has just ended
        return total
    return total


if __name__ == "__main__":
    main()
