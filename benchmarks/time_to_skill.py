"""Measures how long training takes from nothing to a fixed strength: `python benchmarks/time_to_skill.py ant_sumo`.

The clock is the wall's, from the command to the checkpoint that is strong enough: imports, compilation and saving
included, with no compiled program at hand. Every few iterations a run halts while its policy is judged, off the clock:
in matches against the champion's third of its game, or by its successes where it plays alone. A run that ends at the
length of its configuration, or at `--limit` minutes, without having been strong enough counts as one that never is.
Sides take turns seed by seed on the same machine: this code, with `--base` another commit, and with each `--try` this
code with other settings.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.table import Table
from versions import ROOT

from league.evaluation.evaluation import score
from league.evaluation.evaluator import Evaluator, stack
from league.evaluation.pairings import against_itself, load_pairings
from league.evaluation.payoff import wilson
from league.evaluation.policy_file import architecture
from league.evaluation.sources import open_source
from league.run import folder as run_folder
from mjx_arena import devices, registry
from mjx_arena.validation import replace_nested

QUIET = ("logger.tensorboard=false", "logger.render_interval=null", "logger.console=false", "compilation_cache=false")
_DRAWS = 0.3  # at most this share, where a game has draws
_POLL = 0.05  # s


class Target(NamedTuple):
    """What a run has to reach."""

    overrides: tuple[str, ...]  # of the command train
    mark: float  # share of decided matches won, or of episodes that succeed, or mean return
    rival: str | None = None  # in all other seats; None: the policy plays alone
    variant: dict[str, Any] | None = None  # settings of the task in which it is judged; None: the game as it is watched
    by: str = "wins"  # or return
    every: int = 50  # iterations between two judgements


def _against_third(task: str, *overrides: str, **more: Any) -> Target:
    return Target((f"task={task}", *overrides), 0.65, f"champion:{task}/third", **more)


def _suite(reward: str, mark: float) -> Target:
    """Returns a target in points of 1000 of the Control Suite, judged from its starts."""
    judged = {"start": "thrown", "start_speed": 0.0, "push_speed": (0.0, 0.0)}
    overrides = ("task=humanoid_pose", f"task.reward=dm_{reward}", "iterations=6000")
    return Target(overrides, mark, variant=judged, by="return", every=250)


TARGETS = {
    "humanoid_duel": _against_third("humanoid_duel"),
    "ant_sumo": _against_third("ant_sumo"),
    "ant_battle": _against_third("ant_battle"),
    "car_soccer": _against_third("car_soccer", "experiment=car_soccer", every=200),
    "qwop": Target(("experiment=qwop_fast",), 0.9, every=20),
    "stand": Target(("experiment=pose_stand",), 0.9, every=25),
    "walk": Target(("experiment=pose_walk",), 0.8, every=25),
    "getup": Target(("experiment=pose_getup",), 0.8, every=100),
    "suite_stand": _suite("stand", 700),
    "suite_walk": _suite("walk", 500),
    "suite_run": _suite("run", 150),
}


class Judge:
    """Plays matches of policies of one target."""

    def __init__(self, target: Target, matches: int, seed: int):
        self._target, self._matches, self._key = target, matches, jax.random.key(seed)
        self._evaluators: dict[Any, tuple[Evaluator, list]] = {}

    def __call__(self, run: Path, step: int) -> dict[str, float]:
        """Returns the strength of a run's policy, with the ends of its 95 % interval, and the share of draws."""
        source, target = open_source(run, step, engine="native"), self._target
        nets = json.dumps(architecture(source.policy))
        if nets not in self._evaluators:  # compiles
            pairings = load_pairings(source.settings.task_name, source.arena.num_agents)
            variant = against_itself(pairings).task if target.variant is None else target.variant
            arena = registry.build(replace_nested(source.settings.task, variant, "task"), source.settings.physics)
            rivals = [] if target.rival is None else [open_source(target.rival, engine="native")]
            policies = [source.policy, *(rival.policy for rival in rivals)]
            block = source.settings.physics.wanted_block
            evaluator = Evaluator(arena, policies, devices.make_mesh(1), block, sampled=True)
            self._evaluators[nets] = evaluator, [stack([rival.newest().state]) for rival in rivals]
        evaluator, rivals = self._evaluators[nets]
        agents = evaluator.arena.num_agents
        k_seat, k_play = jax.random.split(self._key)
        seat = np.asarray(jax.random.randint(k_seat, (self._matches,), 0, agents))
        others = np.arange(agents) != seat[:, None]
        records = evaluator.play([stack([source.newest().state]), *rivals], others.astype(int), k_play)
        found = score(seat, records, evaluator.arena)
        if target.by == "return":
            returns = np.asarray(records.returns)[:, 0]
            mean, spread = float(found.mean_return), float(1.96 * returns.std() / np.sqrt(len(returns)))
            return {"strength": mean, "low": mean - spread, "high": mean + spread}
        share = found.wins if target.rival is None else found.wins_of_decided
        low, high = wilson(share, found.matches * (1 if target.rival is None else 1 - found.draws))
        return {"strength": share, "low": float(low), "high": float(high), "draws": found.draws}

    def is_enough(self, found: dict[str, float]) -> bool:
        """Returns whether a policy has reached the target."""
        few_draws = self._target.rival is None or found["draws"] <= _DRAWS
        return few_draws and found["strength"] >= self._target.mark


def main() -> None:
    """Prints a line for each judgement and a table at the end, and writes both as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="+", choices=TARGETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--base", help="commit whose runs take turns with those of this code")
    parser.add_argument(
        "--try", nargs="+", action="append", default=[], help="overrides, a side of their own each time"
    )
    parser.add_argument("--limit", type=float, default=float("inf"), help="minutes after which a run is given up")
    parser.add_argument("--matches", type=int, default=400, help="of each judgement")
    parser.add_argument("--json", type=Path, help="file for the figures")
    own = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a run in training ends too
    devices.configure(1)
    figures: dict[str, Any] = {"versions": run_folder.versions()}
    tried = {" ".join(overrides): overrides for overrides in getattr(own, "try")}
    with _trees(own.base) as trees, tempfile.TemporaryDirectory() as folder:
        trees |= dict.fromkeys(tried, ROOT)
        for name in own.targets:
            target, found = TARGETS[name], {side: [] for side in trees}
            judge = Judge(target, own.matches, seed=1000)
            for seed in own.seeds:
                for number, (side, tree) in enumerate(trees.items()):
                    overrides = [*target.overrides, f"seed={seed}", *tried.get(side, [])]
                    run = Path(folder) / f"{name}-{number}-{seed}"
                    outcome = timed(tree, overrides, target, judge, run, f"{name} {side} {seed}", own.limit)
                    found[side].append({"seed": seed, **outcome})
                    figures[name] = found
                    if own.json:
                        own.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    show({name: found for name, found in figures.items() if name in TARGETS})


@contextlib.contextmanager
def _trees(base: str | None) -> Iterator[dict[str, Path]]:
    """Yields side -> folder of its code; the base's is a work tree for as long as the block runs."""
    if base is None:
        yield {"now": ROOT}
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", tree, base], cwd=ROOT, check=True)
        try:
            yield {base: tree, "now": ROOT}
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)


def timed(
    tree: Path, overrides: list[str], target: Target, judge: Judge, run: Path, title: str, limit: float
) -> dict[str, Any]:
    """Trains until the judge is content; returns the minutes, None if it never is, and the curve of strength."""
    often = [f"checkpoint_interval={target.every}", f"checkpoint_keep_interval={target.every}"]
    command = [sys.executable, "scripts/train.py", "physics=native", *overrides, *often, *QUIET, f"run_dir={run}"]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    began, halted, judged, curve = time.monotonic(), 0.0, 0, []
    with subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            while True:
                ended = process.poll() is not None
                step = max(run_folder.finished_steps(run), default=0) if run.exists() else 0
                if step > judged:
                    stopped, judged = time.monotonic(), step
                    minutes = (stopped - began - halted) / 60
                    if not ended:
                        process.send_signal(signal.SIGSTOP)
                    found = judge(run, step)
                    curve.append({"iteration": step, "minutes": minutes, **found})
                    text = ", ".join(f"{key} {value:.3g}" for key, value in found.items())
                    print(f"{title}: {minutes:.1f} min, iteration {step}: {text}", flush=True)
                    if judge.is_enough(found) or minutes >= limit:
                        return {"minutes": minutes if judge.is_enough(found) else None, "curve": curve}
                    process.send_signal(signal.SIGCONT)
                    halted += time.monotonic() - stopped
                elif ended:
                    if process.returncode:
                        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
                    return {"minutes": None, "curve": curve}
                else:
                    time.sleep(_POLL)
        finally:
            process.kill()


def show(figures: dict[str, dict[str, list[dict[str, Any]]]]) -> None:
    """Prints medians, the slowest and the fastest seed, and how many seeds reached the mark."""
    table = Table(title="minutes from nothing to the mark")
    for column in ("target", "code", "median", "seeds", "reached"):
        table.add_column(column)
    for name, sides in figures.items():
        for side, runs in sides.items():
            minutes = [run["minutes"] for run in runs]
            ranked = [np.inf if value is None else value for value in minutes]
            each = ", ".join("-" if value is None else f"{value:.1f}" for value in minutes)
            table.add_row(
                name, side, f"{median(ranked):.1f}", each, f"{len(runs) - minutes.count(None)} of {len(runs)}"
            )
    Console().print(table)


if __name__ == "__main__":
    main()
