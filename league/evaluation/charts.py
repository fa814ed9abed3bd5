"""Charts of a run's log for a page: inline SVG by matplotlib, in the page's own colours and type."""

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure

from league.evaluation.curves import Row, curve, draw

SMOOTHING = 20  # rows of the log that a moving average spans, as in the command plot; of a short log a tenth
# Metrics that every run may have -> what they are called on a page, in their order there.
NAMES = {
    "episode_return": "return of a match",
    "match_length": "length of a match, control steps",
    "league/win_rate_pool": "win rate against the pool",
    "league/elo": "Elo in the league",
    "draw_rate": "share of matches drawn",
    "exercise_survival": "share of exercises survived",
    "reward": "reward of a step",
    "entropy": "entropy of the policy",
    "kl": "KL divergence of an update",
    "explained_variance": "share of variance that the value explains",
    "learning_rate": "learning rate",
    "time/arena_steps_per_second": "arena steps per second",
}
_NOT_THE_GAME_S = ("league", "loss", "time", "nonfinite")  # first parts of keys
# Colours that stand for those of the style sheet, and are not drawn in.
_COLOURS = {"#010203": "currentColor", "#040506": "var(--line)"}
_INK, _LINE = _COLOURS
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, in the page's type
    "svg.hashsalt": "report",  # equal runs, equal pages
    "axes.prop_cycle": f"cycler('color', ['{_LINE}'])",
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"), _INK),
    "grid.alpha": 0.15,
    "axes.grid": True,
}
_UNUSED_NAMES = re.compile(r' id="\w+_\d+"')  # of groups, which would come once in each chart
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


class Chart(NamedTuple):
    """The curve of one metric."""

    title: str
    svg: str


def usual_charts(rows: Sequence[Row]) -> list[Chart]:
    """Returns the charts of `NAMES` that the log has numbers of, but for those that never change."""
    return [chart for key, name in NAMES.items() for chart in _charts(rows, key, name)]


def charts_of_the_game(rows: Sequence[Row]) -> list[Chart]:
    """Returns the charts of what the game pays and measures, under the names in the log."""
    keys = sorted({key for row in rows for key in row if "/" in key and key.partition("/")[0] not in _NOT_THE_GAME_S})
    return [chart for key in keys for chart in _charts(rows, key, key)]


def _charts(rows: Sequence[Row], key: str, name: str) -> list[Chart]:
    """Returns the chart of one metric; none where there is nothing to see."""
    values = {row[key] for row in rows if row.get(key) is not None}
    found = curve([rows], key, max(1, min(SMOOTHING, len(rows) // 10))) if len(values) > 1 else None
    if found is None or len(found.steps) < 2:
        return []
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4, 2.4), layout="constrained")
        axis = figure.subplots()
        draw(axis, found, name)
        axis.set_xlabel("million arena steps")
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata=_METADATA)
    svg = _UNUSED_NAMES.sub("", file.getvalue())
    for drawn, shown in _COLOURS.items():
        svg = svg.replace(drawn, shown)
    return [Chart(name, svg[svg.index("<svg") :])]
