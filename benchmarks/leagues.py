"""Compares leagues after equal time on the clock: `python benchmarks/leagues.py ant_sumo --minutes 5`.

Runs of all leagues take turns, seed by seed. Their finals then meet each other in a tournament, and against each one a
fresh policy is trained for a fixed number of iterations: how often it wins says how exploitable it is, at the least.
"""

import argparse
import dataclasses
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from time_to_skill import QUIET
from versions import ROOT

from league.evaluation import payoff, tournament
from league.evaluation.evaluator import Evaluator
from league.evaluation.exploit import best_response
from league.evaluation.pairings import load_ladder
from league.evaluation.sources import Source, open_source
from league.run import folder as run_folder
from mjx_arena import devices, registry
from mjx_arena.validation import replace_nested

LEAGUES = ("solo", "pfsp", "latest", "alphastar")


def main() -> None:
    """Prints a table of the leagues, and writes it with the results of each seed as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task")
    parser.add_argument("--leagues", nargs="+", default=list(LEAGUES), help="choices of the group league")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=5, help="of each run, start-up included")
    parser.add_argument("--budget", type=int, default=150, help="iterations of each best response")
    parser.add_argument("--matches", type=int, default=200, help="of each pair of finals, and with each best response")
    parser.add_argument("--with", nargs="*", default=[], dest="overrides", help="overrides of every run")
    parser.add_argument("--json", type=Path, help="file for the figures")
    own = parser.parse_args()
    if len(own.leagues) * len(own.seeds) < 2:
        parser.error("--leagues and --seeds: one run has no other final to play; take two leagues or seeds at least")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a run in training ends too
    devices.configure(1)
    with tempfile.TemporaryDirectory() as folder:
        sources = {
            (league, seed): trained(Path(folder) / f"{league}-{seed}", league, seed, own)
            for seed in own.seeds
            for league in own.leagues
        }
        figures = compared(sources, own)
    figures["versions"] = run_folder.versions()
    if own.json:
        own.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    show(figures)


def trained(run: Path, league: str, seed: int, own: argparse.Namespace) -> Source:
    """Trains until the time is up; returns the run."""
    settings = [f"task={own.task}", f"league={league}", f"seed={seed}", "iterations=1000000", *own.overrides]
    command = [sys.executable, "scripts/train.py", "physics=native", *settings, *QUIET, f"run_dir={run}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            time.sleep(own.minutes * 60)
            process.send_signal(signal.SIGINT)  # it saves a checkpoint and ends
            process.wait(timeout=120)
        finally:
            process.kill()
    source = open_source(run, engine="native")
    print(f"{league} {seed}: iteration {source.newest().iteration} after {own.minutes:g} minutes", flush=True)
    return source


def compared(sources: dict[tuple[str, int], Source], own: argparse.Namespace) -> dict[str, Any]:
    """Plays the tournament and trains the best responses; returns all figures."""
    first = next(iter(sources.values()))
    task = replace_nested(first.settings.task, load_ladder(own.task), "task")
    arena, finals = registry.build(task, first.settings.physics), [source.newest() for source in sources.values()]
    evaluator = Evaluator(arena, [first.policy], devices.make_mesh(1), first.settings.physics.wanted_block, True)
    lineups, records = tournament.play(evaluator, finals, own.matches, seed=0)
    result = tournament.judge(lineups, records, len(finals), 0, arena)
    rows = []
    for place, ((league, seed), source) in enumerate(sources.items()):
        settings = dataclasses.replace(source.settings, league=first.settings.league)  # of which little is used
        found = best_response(finals[place].state, settings, own.budget, own.matches, seed=100 + seed, sampled=True)
        rating, low, high = (float(values[place]) for values in result.ratings[:3])
        rows.append(
            {
                "league": league,
                "seed": seed,
                "iteration": finals[place].iteration,
                "rating": rating,
                "rating_95": (low, high),
                "win_rate": float(result.score[place]),
                "exploitability": found.exploitability,
                "exploitability_95": found.interval,
            }
        )
        print(rows[-1], flush=True)
    whole = {"minutes": own.minutes, "budget": own.budget, "matches": own.matches}
    table = np.round(payoff.win_rate(result.results), 3).tolist()
    return whole | {"runs": rows, "win_rate": table, "cyclic_share": result.cyclic_share}


def show(figures: dict[str, Any]) -> None:
    """Prints the means of each league over its seeds, each with the least and the greatest."""
    table = Table(
        title=f"{figures['minutes']:g} minutes each; {figures['cyclic_share']:.1%} of their results are cyclic"
    )
    for column in ("league", "iterations", "rating", "win rate against all", "exploitability"):
        table.add_column(column)
    for league in dict.fromkeys(row["league"] for row in figures["runs"]):
        own = [row for row in figures["runs"] if row["league"] == league]
        cells = [f"{np.mean([row['iteration'] for row in own]):.0f}"]
        for key, form in (("rating", ".0f"), ("win_rate", ".1%"), ("exploitability", ".2f")):
            values = [row[key] for row in own]
            cells.append(f"{np.mean(values):{form}} ({min(values):{form}} to {max(values):{form}})")
        table.add_row(league, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
