"""Learning curves: reads the logs of runs, groups runs that differ in their seed alone, smooths, and draws one axis."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from league.config.renamed import current
from league.run import folder as run_folder
from league.run.resume import HOW, flat
from mjx_arena.validation import SettingError

Row = Mapping[str, Any]

# What may differ between runs of one group: the seed, where a run is, and how it is carried out. The phase to start in
# is among what may change on resume, but decides what is learned.
_ASIDE = ({*HOW} - {"phase"}) | {"seed", "run_dir", "resume", "resume_step"}
_GAME = "task.name"
_LENGTHS = ("iterations", "total_arena_steps")  # which decide what is learned under a schedule that ends with the run


class Group(NamedTuple):
    """Runs that are drawn as one line."""

    label: str
    folders: tuple[Path, ...]


class Curve(NamedTuple):
    """One line and its band: mean, least and greatest over runs, after smoothing; all `[P]`."""

    steps: np.ndarray  # arena steps
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def read_rows(folder: Path) -> list[Row]:
    """Returns the rows of a run's log, without lines that are damaged or cut, such as the last one of a run under way.

    Raises SettingError of `runs` if there is no log.
    """
    path = folder / run_folder.METRICS
    if not path.is_file():
        raise SettingError("runs", folder, f"is no run's folder: it holds no {run_folder.METRICS}")
    return [row for row in json_lines(path) if _is_number(row.get("arena_steps"))]


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the objects of a file of JSON lines, without lines that are damaged or cut."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return [each for each in found if isinstance(each, dict)]


def alone(folders: Sequence[Path]) -> list[Group]:
    """Returns a group for each run, named after its folder."""
    return [Group(folder.name, (folder,)) for folder in folders]


def grouped(folders: Sequence[Path]) -> list[Group]:
    """Groups runs whose settings differ in their seed alone, in the order of their first.

    A lone run is named after its folder, a group after the keys whose values differ between groups. A run whose
    settings cannot be read is a group of its own.
    """
    configs = {folder: _settings(folder) for folder in folders}
    members: dict[str, list[Path]] = {}
    for folder, config in configs.items():
        decisive = json.dumps(_decisive(config), sort_keys=True, default=str) if config else str(folder)
        members.setdefault(decisive, []).append(folder)
    groups = list(members.values())
    firsts = [_decisive(configs[group[0]]) for group in groups]
    return [
        Group(_label(group, own, firsts, configs) if len(group) > 1 else group[0].name, tuple(group))
        for group, own in zip(groups, firsts, strict=True)
    ]


def curve(logs: Sequence[Sequence[Row]], key: str, smoothing: int) -> Curve | None:
    """Returns the curve of the metric `key` over runs with the rows `logs`; None if one has logged no such number.

    Runs are interpolated to the steps of the one with the fewest rows, from where the last of them begins to where the
    first ends; then each is averaged over `smoothing` rows. A curve has no points where no steps are common to all.
    """
    runs = [_points(rows, key) for rows in logs]
    if not all(len(steps) for steps, _ in runs):
        return None
    start, end = max(steps[0] for steps, _ in runs), min(steps[-1] for steps, _ in runs)
    steps = min((steps for steps, _ in runs), key=len)
    steps = steps[(start <= steps) & (steps <= end)]
    width = max(min(smoothing, len(steps)), 1)
    values = np.stack([_smoothed(np.interp(steps, *points), width) for points in runs])
    return Curve(steps[width - 1 :], values.mean(0), values.min(0), values.max(0))


def draw(axis: Axes, drawn: Curve, label: str) -> None:
    """Draws a curve over millions of arena steps, and behind it the band, where runs differ."""
    (line,) = axis.plot(drawn.steps / 1e6, drawn.mean, label=label)
    if (drawn.low < drawn.high).any():
        axis.fill_between(drawn.steps / 1e6, drawn.low, drawn.high, color=line.get_color(), alpha=0.2, linewidth=0)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _points(rows: Sequence[Row], key: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns arena steps and values of a metric, both `[P]`, in order; null is the mean of no matches."""
    value_at = {row["arena_steps"]: row[key] for row in rows if _is_number(row.get(key))}
    steps = sorted(value_at)
    return np.array(steps, float), np.array([value_at[step] for step in steps], float)


def _smoothed(values: np.ndarray, width: int) -> np.ndarray:
    return np.convolve(values, np.full(width, 1 / width), "valid") if len(values) else values


def _settings(folder: Path) -> dict[str, Any]:
    """Returns dotted key -> value of a run's settings; none where they cannot be read, or there is a log alone."""
    try:
        config = run_folder.read_config(folder)
    except SettingError:
        return {}
    return flat(current(config)) if isinstance(config, dict) else {}


def _decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that decide what a run learns, but for its seed."""
    scheduled = settings.get("ppo.learning_rate_schedule") == "linear"
    aside = _ASIDE - {*_LENGTHS} if scheduled else _ASIDE
    return {key: value for key, value in settings.items() if key.partition(".")[0] not in aside}


def _label(group: list[Path], own: dict[str, Any], firsts: list[dict[str, Any]], configs: dict[Path, Any]) -> str:
    """Returns what tells a group from the others, and how many runs it has."""
    values = {key: {str(other[key]) for other in firsts} for key in own if all(key in other for other in firsts)}
    varied = [key for key in values if len(values[key]) > 1]
    if len(values.get(_GAME, ())) == len(firsts):
        varied = [_GAME]  # games differ in much else
    short = [key.rpartition(".")[2] for key in varied]
    names = [name if short.count(name) == 1 else key for name, key in zip(short, varied, strict=True)]
    texts = [f"{name}={shorten(str(own[key]), 30)}" for name, key in zip(names, varied, strict=True) if key != _GAME]
    game = [str(own.get(_GAME))] if _GAME in varied or not texts else []
    seeds = {configs[folder].get("seed") for folder in group}
    kind = "seeds" if len(seeds) == len(group) else "runs"
    return f"{', '.join(game + texts)} ({len(group)} {kind})"
