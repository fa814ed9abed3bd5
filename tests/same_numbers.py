"""Shows that a change moved no number: trains every task before and after it, and compares the logs bit for bit.

    python tests/same_numbers.py <commit> [--out <folder>] [--tasks <task> ...] [--engines native mjx] [--set k=v ...]

Both sides run with this Python, so with the same packages. The logs of the commit are kept in the folder and not
computed again. Exits with 1 where a figure of the commit differs, other than those of time, or is gone.
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TASKS = ("ant_battle", "ant_sumo", "car_soccer", "humanoid_duel", "humanoid_pose", "qwop")
ITERATIONS = {"native": 6, "mjx": 3}
QUIET = ("logger.tensorboard=false", "logger.render_interval=null", "logger.console=false")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commit")
    parser.add_argument("--out", type=Path, default=Path("runs/same_numbers"))
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--engines", nargs="+", default=tuple(ITERATIONS))
    parser.add_argument("--set", nargs="*", default=(), dest="overrides", help="further overrides of both sides")
    arguments = parser.parse_args()
    commit = _git("rev-parse", arguments.commit)
    versions = "-".join(importlib.metadata.version(name) for name in ("jax", "mujoco"))
    out = arguments.out.resolve()
    tree = out / "trees" / commit
    if not tree.is_dir():
        _git("worktree", "add", "--force", "--detach", str(tree), commit)
    failed = False
    for engine in arguments.engines:
        for task in arguments.tasks:
            name = "-".join([task, engine, *arguments.overrides]).replace("/", "_").replace("=", "_")
            overrides = [f"task={task}", f"physics={engine}", *arguments.overrides]
            before = _logged(tree, out / f"{commit}-{versions}" / name, engine, overrides, again=False)
            after = _logged(ROOT, out / f"now-{versions}" / name, engine, overrides, again=True)
            differing = _differences(before, after)
            failed |= bool(differing)
            print(f"{name}: {differing or f'{len(before)} rows of {len(before[0])} figures are the same'}", flush=True)
    return int(failed)


def _logged(tree: Path, folder: Path, engine: str, overrides: list[str], again: bool) -> list[dict]:
    """Returns a log's rows without figures of time, from a run of `tree`'s code: a finished one, unless `again`."""
    log = folder / "metrics.jsonl"
    if again or not log.is_file():
        subprocess.run(["rm", "-rf", str(folder)], check=True)
        sizes = ["num_arenas=64", "seed=7", f"iterations={ITERATIONS[engine]}"]
        command = [sys.executable, "scripts/train.py", *overrides, *sizes, *QUIET, f"run_dir={folder}"]
        environment = os.environ | {"PYTHONPATH": str(tree)}
        subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


def _differences(before: list[dict], after: list[dict]) -> str:
    """Returns the first figures that differ between two logs, as text; empty where none do."""
    if len(before) != len(after):
        return f"{len(before)} rows before, {len(after)} after"
    lines = []
    for old, new in zip(before, after, strict=True):
        names = {name for name in old if old[name] != new.get(name, "none")}
        lines += [f"iteration {old['iteration']}: {name} {old.get(name)} -> {new.get(name)}" for name in sorted(names)]
    return "; ".join(lines[:5]) + (f"; {len(lines)} in all" if len(lines) > 5 else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
