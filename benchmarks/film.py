"""Times films of this code and of another commit in turn: `python benchmarks/film.py b080b42`.

Both sides draw the same number of frames of the same play of car soccer, in the same size, with captions, each in a
process of its own. Shows wall-clock and processor seconds of the film alone, and the most memory of the whole process.
"""

import argparse
import importlib
import inspect
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from versions import ROOT, memory_of

CONTROL_DT = 1 / 15  # s, of car soccer
TERMS = tuple(f"term {number}" for number in range(12))


def main() -> None:
    """Prints a table of medians and ratios, and writes the figures as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the film")
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), help="width and height in pixels")
    parser.add_argument("--fps", type=int, default=60, help="frames per second")
    parser.add_argument("--rounds", type=int, default=3, help="films of each side")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)  # the film that this process writes for a side
    arguments = parser.parse_args()
    if arguments.draw:
        return print(json.dumps(drawn(arguments)))
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", tree, arguments.commit], cwd=ROOT, check=True)
        sides: dict[str, Path] = {arguments.commit: tree, "now": ROOT}
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        try:
            for _ in range(arguments.rounds):
                for name, code in sides.items():
                    runs[name].append(timed(code, arguments, Path(folder) / f"{name}.mp4"))
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)
    figures = {name: {key: median(run[key] for run in found) for key in found[0]} for name, found in runs.items()}
    before, now = figures.values()
    table = Table(
        title=f"{arguments.seconds:g} s at {arguments.fps} frames/s, {arguments.size[0]} x {arguments.size[1]}"
    )
    for column in ("", *figures, "ratio"):
        table.add_column(column, justify="right" if column else "left")
    for key in before:
        table.add_row(key.replace("_", " "), f"{before[key]:.4g}", f"{now[key]:.4g}", f"{now[key] / before[key]:.3f}")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures | {"rounds": runs}, indent=2) + "\n", encoding="utf-8")


def timed(code: Path, arguments: argparse.Namespace, film: Path) -> dict[str, float]:
    """Returns the figures of one film by the code in a folder; exits the program if it fails."""
    sizes = ["--size", *map(str, arguments.size), "--fps", str(arguments.fps), "--seconds", str(arguments.seconds)]
    command = [sys.executable, __file__, arguments.commit, *sizes, "--draw", str(film)]
    environment, memory = os.environ | {"PYTHONPATH": str(code)}, 0
    with subprocess.Popen(command, cwd=code, env=environment, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            memory = max(memory, memory_of(process.pid))
            time.sleep(0.2)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return json.loads(output) | {"memory_gibibytes": memory / 2**30, "film_mebibytes": film.stat().st_size / 2**20}


def drawn(arguments: argparse.Namespace) -> dict[str, float]:
    """Writes the film with the code that Python finds, and returns its wall-clock and processor seconds."""
    arena = importlib.import_module("mjx_arena").make("car_soccer", "native")
    render = importlib.import_module("mjx_arena.render")
    knows_matches = "matches" in inspect.signature(render.write_film).parameters
    film = with_matches if knows_matches else with_poses
    started, processor = time.perf_counter(), processor_seconds()
    film(render, arena, arguments)
    return {"seconds": time.perf_counter() - started, "processor_seconds": processor_seconds() - processor}


def with_matches(render: Any, arena: Any, arguments: argparse.Namespace) -> None:
    """Films poses a control step apart, which are interpolated."""
    caption, poses = importlib.import_module("mjx_arena.render.caption"), play(arguments.seconds, CONTROL_DT)
    players = tuple(
        caption.Player(seat, "iteration 200", colour, 0)
        for seat, colour in zip(arena.view.seats, arena.view.colours, strict=True)
    )

    def at(match: int, seconds: float) -> Any:
        del match
        step = np.ceil(seconds / CONTROL_DT - 1e-6)
        return caption.Caption(seconds, players, step, tuple(zip(TERMS, terms(step).tolist(), strict=True)))

    size = (*arguments.size, arguments.fps)
    render.write_film(arguments.draw, arena.mj_model, [poses], CONTROL_DT, arena.view, at, *size)


def with_poses(render: Any, arena: Any, arguments: argparse.Namespace) -> None:
    """Films one pose for each frame."""
    caption, frame = importlib.import_module("mjx_arena.trajectory").Caption, 1 / arguments.fps
    poses = play(arguments.seconds, frame)[:-1]
    names = "\n".join([*arena.view.seats, "time", "return", *TERMS])

    def captions() -> Any:
        for index in range(len(poses)):
            step = np.ceil(index * frame / CONTROL_DT - 1e-6)
            values = [f"{value:+.3f}" for value in terms(step)]
            first = ["iteration 200"] * 2 + [f"{index * frame:.2f} s", f"{step:.1f}"]
            yield caption(names, "\n".join([*first, *values]))

    size = (*arguments.size, arguments.fps)
    render.write_film(arguments.draw, arena.mj_model, poses, frame, arena.view, captions(), *size)


def play(seconds: float, dt: float) -> np.ndarray:
    """Returns poses `[T + 1, 21]` of a ball that wanders and bounces, and of two cars that go after it."""
    time = np.arange(round(seconds / dt) + 1) * dt
    poses = np.zeros((len(time), 3, 7))
    for body, (late, wide, high) in enumerate(((0.0, 30.0, 9.0), (0.5, 28.0, 0.0), (-0.6, 24.0, 0.0))):
        angle = 0.25 * (time - late)
        poses[:, body, 0], poses[:, body, 1] = wide * np.sin(2 * angle), 1.3 * wide * np.sin(angle)
        poses[:, body, 2] = (0.92 if body == 0 else 0.17) + high * np.abs(np.sin(0.9 * time))
        yaw = np.arctan2(1.3 * np.cos(angle), 2 * np.cos(2 * angle)) / 2
        poses[:, body, 3], poses[:, body, 6] = np.cos(yaw), np.sin(yaw)
    return poses.reshape(len(time), 21)


def terms(step: float) -> np.ndarray:
    """Returns the reward terms of a control step."""
    return np.sin(0.3 * step + np.arange(len(TERMS)))


def processor_seconds() -> float:
    """Returns the processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


if __name__ == "__main__":
    main()
