"""Builds the page of a report on a run, out of the run's own files: one HTML file that needs nothing else."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from league.config.compose import to_mapping
from league.evaluation import charts, markup
from league.evaluation.curves import Row, json_lines
from league.evaluation.evaluation import Score
from league.evaluation.tables import ahead, pairings_table
from league.run import folder as run_folder
from league.run.checkpoints import Checkpoints
from league.run.console import to_paste
from league.run.resume import flat
from league.settings import RunSettings
from mjx_arena import registry

LADDER, SCORES, STILLS = "ladder.json", "scores.json", "stills.png"
_PICTURES = {
    "ladder.png": "Ratings over training, with intervals of 95 %",
    "payoff.png": "Win rates of rows against columns",
    "distance.png": "Distance over time, a line for each episode",
}
_CHANGES = "changes.jsonl"


class Saved(NamedTuple):
    """A run's newest checkpoint."""

    iteration: int
    time: float  # seconds since 1970
    begun: float  # when the first one that is left was saved
    versions: dict[str, str]


class Run(NamedTuple):
    """A run that is reported on."""

    folder: Path
    settings: RunSettings
    rows: list[Row]
    saved: Saved | None  # None before its first checkpoint


def newest_checkpoint(folder: Path) -> Saved | None:
    """Returns the newest checkpoint, or None. Raises CheckpointError for one that cannot be read."""
    if not run_folder.finished_steps(folder):
        return None
    with Checkpoints(folder / run_folder.CHECKPOINTS, read_only=True) as checkpoints:
        steps = checkpoints.steps()
        versions = checkpoints.meta(steps[-1]).get("versions", {})
        return Saved(steps[-1], checkpoints.saved_at(steps[-1]), checkpoints.saved_at(steps[0]), versions)


def evaluated(run: Run, name: str) -> Path | None:
    """Returns the file `name` of the folder `evaluation`, if it was written after the newest checkpoint; else None.

    A JSON file must be about that checkpoint too.
    """
    path = run.folder / "evaluation" / name
    if run.saved is None or not path.is_file() or path.stat().st_mtime < run.saved.time:
        return None
    if path.suffix == ".json":
        content = _read(path)
        iterations = [content.get("iteration"), *(member["iteration"] for member in content.get("members", ()))]
        return path if run.saved.iteration in iterations else None
    return path


def newest_film(folder: Path) -> Path | None:
    """Returns the film of the latest iteration that was filmed in training, or None."""
    films = [path for path in (folder / run_folder.FILMS).glob("iteration-*.mp4") if _number(path).isdigit()]
    return max(films, key=lambda path: int(_number(path)), default=None)


def build(run: Run, rating_note: str, picture_note: str) -> str:
    """Returns the page. The notes say why there are no ratings, or no pictures, if there are none."""
    task = run.settings.task_name
    sections = [
        markup.section("The run", markup.group("beside", [_about(run), *_figures(run.rows)])),
        markup.section("Curves", *_curves(run.rows)),
        markup.section("Strength", *_ratings(run, rating_note)),
        markup.section("Film", _film(run, picture_note)),
        markup.section("Settings", *_settings(run)),
        markup.section("Versions", _versions(run.saved)),
        markup.section("Commands", *_commands(run)),
    ]
    return markup.page(f"{task}: {run.folder.name}", f"Report on the run in {run.folder}", sections)


def _about(run: Run) -> str:
    rows, settings, saved = run.rows, run.settings, run.saved
    facts: list[tuple[str, str]] = [("game", settings.task_name)]
    if saved is not None:
        facts.append(("first checkpoint", _when(saved.begun)))
        facts.append(("newest checkpoint", f"iteration {saved.iteration}, {_when(saved.time)}"))
    if rows:
        before = [max(rows[0]["iteration"] - settings.logger.interval, 0), *(row["iteration"] for row in rows)]
        seconds = np.array([row["time/iteration_seconds"] for row in rows]) @ np.diff(before)
        steps = rows[-1]["arena_steps"]
        played = steps * (1 - before[0] / rows[-1]["iteration"])  # a run may go on from a milestone of another one
        facts += [
            ("length", f"{rows[-1]['iteration']} of {settings.iterations} iterations"),
            ("arena steps", f"{steps / 1e6:.2f} million"),
            ("training", f"{seconds / 60:.1f} minutes, {played / max(seconds, 1e-9):,.0f} arena steps per second"),
            ("arenas that broke", str(sum(row.get("nonfinite_arenas") or 0 for row in rows))),
            ("updates skipped as not finite", str(sum(row.get("skipped_updates") or 0 for row in rows))),
        ]
    devices = f" on {settings.devices} devices" if settings.devices else ""
    facts.append(("arenas", f"{settings.num_arenas}{devices}, engine {settings.physics.engine}"))
    facts.append(("seed", str(settings.seed)))
    return markup.table((), facts, numbers=False)


def _figures(rows: Sequence[Row]) -> Iterable[str]:
    """Yields a table of the usual metrics, at the start and at the end of the log."""
    table = []
    for key, name in charts.NAMES.items():
        first, last = (_mean(part, key) for part in (rows[: charts.SMOOTHING], rows[-charts.SMOOTHING :]))
        if last is not None:
            table.append((name, "" if first is None else _figure(first), _figure(last)))
    if table:
        yield markup.table((f"mean of {charts.SMOOTHING} rows", "at the start", "at the end"), table)


def _mean(rows: Sequence[Row], key: str) -> float | None:
    values = [row[key] for row in rows if row.get(key) is not None]
    return float(np.mean(values)) if values else None


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _curves(rows: Sequence[Row]) -> Iterable[str]:
    drawn = charts.usual_charts(rows)
    if not drawn:
        yield markup.paragraph("Nothing has been logged yet that could be drawn.")
        return
    yield markup.group("charts", (markup.chart(each.svg, each.title) for each in drawn))
    own = charts.charts_of_the_game(rows)
    if own:
        shown = markup.group("charts", (markup.chart(each.svg, each.title) for each in own))
        yield markup.folded("What the game pays and measures, in a control step", shown)


def _ratings(run: Run, note: str) -> Iterable[str]:
    ladder, scores = evaluated(run, LADDER), evaluated(run, SCORES)
    if ladder is None and scores is None:
        yield markup.paragraph(note)
        yield markup.block(to_paste("evaluate", f"run={run.folder}"))
        return
    if ladder is not None:
        yield from _ladder(_read(ladder))
    if scores is not None:
        yield from _scores(_read(scores), run.settings.task.num_agents == 1)
    pictures = {text: evaluated(run, name) for name, text in _PICTURES.items()}
    shown = [markup.picture(path.read_bytes(), text) for text, path in pictures.items() if path is not None]
    if shown:
        yield markup.group("beside", shown)


def _ladder(content: dict[str, Any]) -> Iterable[str]:
    members = sorted(content["members"], key=lambda member: -member["rating"])
    sides = [key for key in members[0] if key.startswith("win_rate_as_")]
    ranked = members[0]["mean_rank"] is not None
    head = [
        "policy of iteration",
        "rating",
        "95 %",
        "ahead by",
        "win rate",
        *(key[len("win_rate_") :] for key in sides),
    ]
    rows = [
        [
            member["name"],
            f"{member['rating']:.0f}",
            f"{member['rating_low']:.0f} to {member['rating_high']:.0f}",
            ahead(member.get("ahead_low"), member.get("ahead_high")),  # none in ladders of earlier versions
            *(f"{member[key]:.1%}" for key in ("win_rate", *sides)),
            *([f"{member['mean_rank']:.2f}"] if ranked else []),
            f"{member['nash_weight']:.2f}",
            f"{member['win_rate_against_nash']:.1%}",
        ]
        for member in members
    ]
    yield markup.table([*head, *(["rank"] if ranked else []), "Nash", "vs Nash"], rows)
    yield markup.paragraph(
        f"A tournament of {content['matches']} matches, {content['void']} of them void, in which the run's past selves "
        f"met one another; 400 points are odds of 10 to 1. {content['cyclic_share']:.1%} of the table is cyclic, which "
        "ratings cannot explain."
    )


def _scores(content: dict[str, Any], alone: bool) -> Iterable[str]:
    scores = {name: Score(**({"by_side": {}} | score)) for name, score in content["scores"].items()}
    table = pairings_table("", scores, alone)
    cells = zip(*(column.cells for column in table.columns), strict=True)
    yield markup.table([str(column.header) for column in table.columns], cells)
    matches = max((score.matches for score in scores.values()), default=0)
    yield markup.paragraph(f"The policy of iteration {content['iteration']}, in {matches} matches of each pairing.")
    figures = [
        (f"{name}: {key.replace('_', ' ')}", f"{value:.4g}")
        for name, s in scores.items()
        for key, value in s.report.items()
    ]
    if figures:
        yield markup.folded("Figures in the game's own terms", markup.table((), figures))


def _film(run: Run, note: str) -> str:
    film, stills = newest_film(run.folder), evaluated(run, STILLS)
    if film is not None:
        return markup.film(film.read_bytes(), f"Filmed in training, at iteration {_number(film)}.")
    if stills is not None:
        strip = markup.picture(stills.read_bytes(), "An episode of the newest policy, from left to right.")
        return markup.group("wide strip", [strip])
    return markup.paragraph(note)


def _settings(run: Run) -> Iterable[str]:
    defaults = flat(to_mapping(RunSettings(task=registry.settings_type(run.settings.task_name)())))
    own = flat(to_mapping(run.settings))
    differing = [
        (key, _shown(value), _shown(defaults.get(key))) for key, value in own.items() if value != defaults.get(key)
    ]
    yield markup.table(("key", "value", "default"), differing, numbers=False)
    changes = [
        (row.get("iteration", ""), key, _shown(now), _shown(before))
        for row in (json_lines(run.folder / _CHANGES) if (run.folder / _CHANGES).is_file() else [])
        for key, (before, now) in row.get("changes", {}).items()
    ]
    if changes:
        yield markup.table(("from iteration", "key", "value", "before"), changes, numbers=False)
    text = (run.folder / run_folder.CONFIG).read_text(encoding="utf-8")
    yield markup.folded(f"All of {run_folder.CONFIG}", markup.block(text))


def _versions(saved: Saved | None) -> str:
    if saved is None:
        return markup.paragraph("The run has saved no checkpoint yet, which would hold them.")
    return markup.table((), saved.versions.items(), numbers=False)


def _commands(run: Run) -> Iterable[str]:
    name, folder = run.settings.task_name, f"run={run.folder}"
    for purpose, command in (
        ("Watch it", to_paste("watch", folder)),
        ("Rate it", to_paste("evaluate", folder)),
        ("Film it", to_paste("record", folder, "out=film.mp4")),
        ("Export it", to_paste("export", folder, f"out={name}.npz")),
        ("Go on with it", to_paste("train", f"resume={run.folder}")),
        ("Make this page anew", to_paste("report", folder)),
    ):
        yield f"<div>{purpose}</div>\n{markup.block(command)}"


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _number(film: Path) -> str:
    return film.stem.partition("-")[2]


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _shown(value: Any) -> str:
    """Returns a setting as YAML, on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
