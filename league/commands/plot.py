"""The command plot: draws learning curves of runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure  # and not pyplot, which would want a display, or change a notebook's

from league.run.folder import METRICS
from mjx_arena.validation import SettingError, require

PURPOSE = "Draws curves out of runs' metrics.jsonl, one line a run."
EXAMPLES = ("python scripts/plot.py 'runs=[runs/a,runs/b]' out=curves.png",)


@dataclass(frozen=True)
class PlotSettings:
    """Settings of a plot: which curves are drawn."""

    runs: tuple[str, ...] = ()  # folders of runs, [a,b]; each is one line
    out: str = "curves.png"  # the picture to write
    # metrics of metrics.jsonl to draw, one chart each
    keys: tuple[str, ...] = (
        "match_length",
        "draw_rate",
        "exercise_survival",
        "league/win_rate_pool",
        "reward",
        "entropy",
    )
    smoothing: int = 20  # rows of the log that the moving average spans

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong."""
        require(len(self.runs) > 0, "runs", list(self.runs), "must be given: folders of runs, [a,b]")
        require(self.smoothing >= 1, "smoothing", self.smoothing, "must be at least 1")


SETTINGS = PlotSettings


def plot(own: PlotSettings) -> None:
    """Draws the curves. Raises SettingError for a folder or key without numbers, or if `out` cannot be written."""
    own.validate()
    columns = min(3, len(own.keys))
    rows = -(-len(own.keys) // columns)
    figure = Figure(figsize=(4 * columns, 2.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for folder in own.runs:
        lines = _read(Path(folder) / METRICS)
        for key, axis in zip(own.keys, axes.flat, strict=False):
            # null is the mean of no matches
            points = [(line["arena_steps"] / 1e6, line[key]) for line in lines if line.get(key) is not None]
            if not points:
                raise SettingError("keys", key, f"{folder} has logged no such number")
            x, y = np.array(points).T
            width = min(own.smoothing, len(y))
            axis.plot(x[width - 1 :], np.convolve(y, np.full(width, 1 / width), "valid"), label=Path(folder).name)
            axis.set(title=key, xlabel="million arena steps")
    for axis in axes.flat[len(own.keys) :]:
        axis.set_visible(False)
    axes.flat[0].legend()
    try:
        figure.savefig(own.out, dpi=110)
    except (OSError, ValueError) as error:
        raise SettingError("out", own.out, f"cannot be written ({error})") from error
    print(f"wrote {own.out}")


def run(settings: PlotSettings, written: Mapping[str, Any]) -> None:
    """Plots for the command line."""
    del written
    plot(settings)


def _read(path: Path) -> list[dict]:
    if not path.is_file():
        raise SettingError("runs", path.parent, f"is no run's folder: it holds no {METRICS}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
