"""Draws the learning curves of runs: `python scripts/plot.py runs=[<folder>,<folder>] out=curves.png`."""

import json
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display needed

import matplotlib.pyplot as plt
import numpy as np

from league.config.command import refuse_other_keys, run_script, take_own_keys
from league.run.folder import METRICS
from mjx_arena.validation import SettingError, require

CONF = Path(__file__).resolve().parent.parent / "conf"
PURPOSE = """Draws curves out of runs' metrics.jsonl, one line a run. Own keys:
  runs: ???  # folders, [a,b]
  out: curves.png
  keys: [match_length,draw_rate,exercise_survival,league/win_rate_pool,reward,entropy]
  smoothing: 20  # log lines of the moving average"""
EXAMPLES = ("python scripts/plot.py runs=[runs/a,runs/b] out=curves.png",)


@dataclass(frozen=True)
class PlotSettings:
    runs: tuple[str, ...]
    out: str = "curves.png"
    keys: tuple[str, ...] = (
        "match_length",
        "draw_rate",
        "exercise_survival",
        "league/win_rate_pool",
        "reward",
        "entropy",
    )
    smoothing: int = 20


def main(overrides: list[str]) -> int:
    own, rest = take_own_keys(overrides, PlotSettings)
    refuse_other_keys(rest)
    require(own.smoothing >= 1, "smoothing", own.smoothing, "must be at least 1")
    columns = min(3, len(own.keys))
    rows = -(-len(own.keys) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4 * columns, 2.8 * rows), squeeze=False, layout="constrained")
    for run in own.runs:
        lines = read(Path(run) / METRICS)
        for key, axis in zip(own.keys, axes.flat, strict=False):
            # null stands for a mean over nothing
            points = [(line["arena_steps"] / 1e6, line[key]) for line in lines if line.get(key) is not None]
            if not points:
                raise SettingError("keys", key, f"{run} has logged no such number")
            x, y = np.array(points).T
            width = min(own.smoothing, len(y))
            axis.plot(x[width - 1 :], np.convolve(y, np.full(width, 1 / width), "valid"), label=Path(run).name)
            axis.set(title=key, xlabel="million arena steps")
    for axis in axes.flat[len(own.keys) :]:
        axis.set_visible(False)
    axes.flat[0].legend()
    figure.savefig(own.out, dpi=110)
    print(f"wrote {own.out}")
    return 0


def read(path: Path) -> list[dict]:
    if not path.is_file():
        raise SettingError("runs", path.parent, f"is no run's folder: it holds no {METRICS}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    run_script(main, PURPOSE, CONF, EXAMPLES)
