"""Comparison of this project with other trainers, on one arena: `python benchmarks/peers.py [--json FILE]`.

Needs the extra `peers`. Every measurement has its own process; the trainers take turns, round by round. With `qwop` as
its first argument it compares QWOP with Box2D instead, and with `car_soccer` car soccer with RLGym.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from trainers import LEAGUE_STEPS, LEAGUES, OPPONENTS, SB3_ENVIRONMENTS, TRAINERS

from league.run.folder import versions
from mjx_arena import devices

WORKER = Path(__file__).with_name("trainers.py")
SB3 = "stable-baselines3"
PEERS = ("brax", SB3)
OWN = ("native", "mjx")

Point = dict[str, Any]


def play(name: str, log: Path, least: int = 3, **limits: float) -> list[Point]:
    """Runs one trainer in a process; returns its progress. `limits` are options of `trainers.py`.

    Exits the program if the process fails or makes fewer than `least` updates.
    """
    options = [f"--{limit}={value}" for limit, value in limits.items()]
    command = [sys.executable, str(WORKER), name, *options]
    with log.open("w", encoding="utf-8") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    points = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"seconds"')]
    if done.returncode or len(points) < least:
        problem = f"{name} ended with status {done.returncode} after {len(points)} updates of at least {least}"
        raise SystemExit(f"{problem}; see {log}")
    return points


def speed(points: list[Point], warm_up: int = 2) -> float:
    """Returns arena steps per second after the first updates, which compile and warm up."""
    first, last = points[warm_up - 1], points[-1]
    return (last["arena_steps"] - first["arena_steps"]) / (last["seconds"] - first["seconds"])


def start_up(points: list[Point]) -> float:
    """Returns the seconds that a trainer needs on top of its speed: to import, build and compile."""
    return points[1]["seconds"] - points[1]["arena_steps"] / speed(points)


def time_to(goal: float, points: list[Point]) -> float | None:
    """Returns the wall-clock seconds until the mean return reaches the goal; None if it never does."""
    return next((p["seconds"] for p in points if (p["episode_return"] or 0) >= goal), None)


def measure_speed(rounds: int, steps: float, logs: Path, say) -> dict[str, Any]:
    """Returns speed and start-up of all trainers.

    They play equally many arena steps, since the cost of a step depends on how much the bodies stand.
    """
    found: dict[str, dict[str, list[float]]] = {name: {"speed": [], "start_up": []} for name in TRAINERS}
    for index in range(rounds):
        for name in TRAINERS:
            say(f"speed, round {index + 1} of {rounds}: {name}")
            points = play(name, logs / f"speed-{name}-{index}.log", steps=steps)
            found[name]["speed"].append(speed(points))
            found[name]["start_up"].append(start_up(points))
    best = max((f"sb3-{count}" for count in SB3_ENVIRONMENTS), key=lambda name: median(found[name]["speed"]))
    found[SB3] = found[best]
    figures = {
        name: {
            "arena_steps_per_second": median(values["speed"]),
            "start_up_seconds": median(values["start_up"]),
            "rounds": values["speed"],
        }
        for name, values in found.items()
    }
    figures[SB3]["environments"] = best.removeprefix("sb3-")
    return figures


def measure_learning(rounds: int, patience: float, goal: float, sb3: str, logs: Path, say) -> dict[str, Any]:
    """Returns the seconds until each trainer reaches a mean return of `goal`, infinite if it never does."""
    workers = {"native": "native", "mjx": "mjx", "brax": "brax", SB3: f"sb3-{sb3}"}
    found: dict[str, list[float | None]] = {name: [] for name in workers}
    for index in range(rounds):
        for name, worker in workers.items():
            say(f"time to a return of {goal:g}, round {index + 1} of {rounds}: {name}")
            points = play(worker, logs / f"learning-{name}-{index}.log", goal=goal, seconds=patience)
            found[name].append(time_to(goal, points))
    return {
        name: {"seconds": median(s if s is not None else float("inf") for s in values), "rounds": values}
        for name, values in found.items()
    }


def measure_league(rounds: int, logs: Path, say) -> dict[str, Any]:
    """Returns the seconds of an iteration by the number of opponents, once the pool is full."""
    found: dict[str, list[float]] = {name: [] for name in LEAGUES}
    for index in range(rounds):
        for name, count in zip(LEAGUES, OPPONENTS, strict=True):
            say(f"league, round {index + 1} of {rounds}: {count} opponents")
            warm_up = max(OPPONENTS) + 4
            points = play(name, logs / f"{name}-{index}.log", least=warm_up + 20, steps=LEAGUE_STEPS * (warm_up + 20))
            found[name].append(points[0]["arena_steps"] / speed(points, warm_up))
    return {name: {"iteration_seconds": median(values), "rounds": values} for name, values in found.items()}


def as_table(title: str, unit: str, figures: dict[str, float], more_is_better: bool) -> Table:
    table = Table(title=title)
    for column in ("trainer", unit, *(f"against {peer}" for peer in PEERS)):
        table.add_column(column, justify="left" if column == "trainer" else "right")
    for name in (*OWN, *PEERS):
        ratios = [figures[name] / figures[p] if more_is_better else figures[p] / figures[name] for p in PEERS]
        table.add_row(name, f"{figures[name]:,.0f}", *(f"x {ratio:.2f}" for ratio in ratios))
    return table


def show_speed(figures: dict[str, Any], console: Console) -> None:
    medians = {name: values["arena_steps_per_second"] for name, values in figures.items()}
    console.print(as_table("training speed", "arena steps/s", medians, more_is_better=True))
    start_ups = ", ".join(f"{name} {figures[name]['start_up_seconds']:.0f} s" for name in (*OWN, *PEERS))
    console.print(f"start-up apart: {start_ups}; {SB3} with {figures[SB3]['environments']} environments")


def show_learning(figures: dict[str, Any], console: Console) -> None:
    seconds = {name: figures[name]["seconds"] for name in (*OWN, *PEERS)}
    title = f"time to a mean return of {figures['goal']:g}, start-up included"
    console.print(as_table(title, "seconds", seconds, more_is_better=False))


def show_league(figures: dict[str, Any], console: Console) -> None:
    alone = figures["league-1"]["iteration_seconds"]
    for name, count in zip(LEAGUES, OPPONENTS, strict=True):
        iteration = figures[name]["iteration_seconds"]
        console.print(f"an iteration against {count} opponents: {iteration:.3f} s, x {iteration / alone:.2f}")


SHOW = {"speed": show_speed, "learning": show_learning, "league": show_league}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("game", nargs="?", choices=("stand", "qwop", "car_soccer"), default="stand")
    parser.add_argument("--parts", nargs="+", choices=tuple(SHOW), default=list(SHOW), help="speed comes first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=float, default=600_000, help="arena steps of each speed measurement")
    parser.add_argument("--goal", type=float, default=300, help="mean return to learn, of at most 1000")
    parser.add_argument("--patience", type=float, default=600, help="seconds until learning is given up")
    parser.add_argument("--environments", default="64", help=f"of {SB3}, where the part speed does not find the best")
    parser.add_argument("--logs", type=Path, default=Path("runs/peers"), help="folder for what the trainers print")
    parser.add_argument("--set", nargs="*", default=[], help="of the game's task, as substeps_per_frame=1")
    parser.add_argument("--json", type=Path, help="a file for the figures; those of other parts that it holds stay")
    wanted = parser.parse_args()
    wanted.logs.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    if wanted.json and wanted.json.exists():
        found = json.loads(wanted.json.read_text(encoding="utf-8"))
    found["versions"] = versions()
    if wanted.game != "stand":
        _compare_game(wanted, found)
        return

    for part in (part for part in SHOW if part in wanted.parts):
        with Console(stderr=True).status("") as status:
            if part == "speed":
                found[part] = measure_speed(wanted.rounds, wanted.steps, wanted.logs, status.update)
            elif part == "learning":
                sb3 = found["speed"][SB3]["environments"] if "speed" in found else wanted.environments
                figures = measure_learning(wanted.rounds, wanted.patience, wanted.goal, sb3, wanted.logs, status.update)
                found[part] = {"goal": wanted.goal} | figures
            else:
                found[part] = measure_league(wanted.rounds, wanted.logs, status.update)
        SHOW[part](found[part], Console())
        if wanted.json:
            wanted.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _compare_game(wanted: argparse.Namespace, found: dict[str, Any]) -> None:
    import turns

    devices.configure(None, num_dofs=0)  # nothing is solved by XLA
    if wanted.game == "qwop":
        from qwop_box2d import box2d_steps as other

        name, settings, num_arenas = "box2d", {"action_set": "full"}, 1024
    else:
        from soccer_rlgym import rlgym_steps as other

        name, settings, num_arenas = "rlgym", {}, 4096
    settings |= {key: yaml.safe_load(value) for key, _, value in (pair.partition("=") for pair in wanted.set)}
    found[wanted.game] = turns.measure(name, other, wanted.game, settings, wanted.rounds, num_arenas)
    turns.show(name, found[wanted.game], Console())
    if wanted.json:
        wanted.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
