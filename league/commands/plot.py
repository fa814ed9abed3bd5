"""The command plot: draws learning curves of runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure  # and not pyplot, which would want a display, or change a notebook's

from league.evaluation.curves import Curve, Group, Row, alone, curve, draw, grouped, read_rows
from mjx_arena.validation import SettingError, require

PURPOSE = """Draws curves out of runs' metrics.jsonl. Runs that differ in nothing but their seed are one line, their
mean, with a band from the least to the greatest of them."""
EXAMPLES = ("python scripts/plot.py 'runs=[runs/a,runs/b]' out=curves.png",)


@dataclass(frozen=True)
class PlotSettings:
    """Settings of a plot: which curves are drawn."""

    runs: tuple[str, ...] = ()  # folders of runs, [a,b]
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
    bands: bool = True  # one line and a band for runs that differ in their seed alone; false: one line a run
    smoothing: int = 20  # rows of the log that the moving average spans

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong."""
        require(len(self.runs) > 0, "runs", list(self.runs), "must be given: folders of runs, [a,b]")
        require(len(self.keys) > 0, "keys", list(self.keys), "name at least one")
        require(self.smoothing >= 1, "smoothing", self.smoothing, "must be at least 1")


SETTINGS = PlotSettings


def plot(own: PlotSettings) -> None:
    """Draws the curves. Raises SettingError for a folder or key without numbers, or if `out` cannot be written."""
    own.validate()
    columns = min(3, len(own.keys))
    rows = -(-len(own.keys) // columns)
    figure = Figure(figsize=(4 * columns, 2.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    folders = [Path(each) for each in dict.fromkeys(own.runs)]
    logs = {folder: read_rows(folder) for folder in folders}
    for group in (grouped if own.bands else alone)(folders):
        for key, axis in zip(own.keys, axes.flat, strict=False):
            draw(axis, _curve(own, group, key, logs), group.label)
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


def _curve(own: PlotSettings, group: Group, key: str, logs: Mapping[Path, list[Row]]) -> Curve:
    """Returns the curve of a group. Raises SettingError if one of its runs has no such number, or lies elsewhere."""
    for folder in group.folders:
        if curve([logs[folder]], key, own.smoothing) is None:
            raise SettingError("keys", key, f"{folder} has logged no such number")
    found = curve([logs[folder] for folder in group.folders], key, own.smoothing)
    assert found is not None
    remedy = f"{group.label} have no arena steps in common in {key}; draw each by bands=false"
    require(len(found.steps) > 0, "runs", [str(folder) for folder in group.folders], remedy)
    return found
