"""The command report: writes one page about a run, and plays what is missing for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from league.commands.evaluate import EvaluationSettings, evaluate
from league.commands.record import RecordSettings, record
from league.config.compose import from_mapping
from league.evaluation.curves import read_rows
from league.evaluation.policy_file import PolicyFileError
from league.evaluation.report import LADDER, SCORES, STILLS, Run, build, evaluated, newest_checkpoint, newest_film
from league.run import folder as run_folder
from league.run.checkpoints import CheckpointError
from mjx_arena.drafts import draft_of
from mjx_arena.validation import SettingError, require

PURPOSE = """Writes a page about a run, one HTML file that needs nothing else: what it is, curves, ratings, a film,
settings, versions, commands. Ratings that the run has already are taken; else matches are played for them."""
EXAMPLES = (
    "python scripts/report.py run=latest",
    "python scripts/report.py run=runs/a matches=0 out=report.html",
)
_REFUSED = (SettingError, CheckpointError, PolicyFileError)


@dataclass(frozen=True)
class ReportSettings:
    """Settings of a report: the run, and what is played for it."""

    run: str | None = None  # folder of a run; latest: the one that wrote a checkpoint last
    out: str | None = None  # page to write; null: report.html in the run's folder
    # matches of each pair, or of each pairing in a game of one player, where the run has no ratings of its newest
    # checkpoint in evaluation/; 0: none
    matches: int = 100
    members: int = 8  # policies of the run in that tournament, spread over its training
    physics: str | None = None  # name of the engine to play on; null: the run's own

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong."""
        require(self.run is not None, "run", self.run, "must be given: the folder of a run, or latest")
        require(self.matches >= 0, "matches", self.matches, "must be at least 0")
        require(self.members >= 2, "members", self.members, "must be at least 2")


SETTINGS = ReportSettings


def report(own: ReportSettings) -> Path:
    """Writes the page, and returns its path.

    Raises SettingError or CheckpointError for a run that cannot be used, and for an `out` that cannot be written.
    """
    own.validate()
    folder = run_folder.newest_of_all() if own.run == "latest" else Path(str(own.run))
    for name in (run_folder.CONFIG, run_folder.METRICS):
        require((folder / name).is_file(), "run", folder, f"is no run's folder: it holds no {name}")
    settings = from_mapping(run_folder.read_config(folder))
    found = Run(folder, settings, read_rows(folder), newest_checkpoint(folder))
    out = Path(own.out) if own.out else folder / "report.html"
    run_folder.made_writable(out.parent, "out")
    page = build(found, _play_matches(own, found), _draw_stills(own, found))
    try:
        with draft_of(out) as draft:
            draft.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SettingError("out", out, f"cannot write there ({error.strerror or error})") from error
    print(f"wrote {out}, {len(page.encode()) / 2**20:.1f} MB")
    return out


def run(settings: ReportSettings, written: Mapping[str, Any]) -> None:
    """Reports for the command line."""
    del written
    report(settings)


def _play_matches(own: ReportSettings, found: Run) -> str:
    """Plays a tournament, or pairings, where the run has no ratings; returns why there are none afterwards, or ""."""
    if found.saved is None:
        return "There are no ratings, since the run has saved no checkpoint yet. Later this makes them:"
    alone = found.settings.task.num_agents == 1
    if evaluated(found, SCORES if alone else LADDER) is not None:
        return ""
    if own.matches == 0:
        return f"There are no ratings of the newest checkpoint, {found.saved.iteration}. This makes them:"
    wanted = EvaluationSettings(str(found.folder), members=own.members, matches=own.matches, physics=own.physics)
    try:
        evaluate(wanted)
    except _REFUSED as error:
        return f"There are no ratings ({error}). This makes them:"
    return ""


def _draw_stills(own: ReportSettings, found: Run) -> str:
    """Draws stills of an episode where the run has no film; returns why there are none afterwards, or ""."""
    if newest_film(found.folder) is not None or evaluated(found, STILLS) is not None:
        return ""
    if found.saved is None:
        return "There is no picture, since the run has saved no checkpoint yet."
    out = found.folder / "evaluation" / STILLS
    try:
        run_folder.made_writable(out.parent, "out")
        record(RecordSettings(str(found.folder), out=str(out), physics=own.physics))
    except _REFUSED as error:
        return f"There is no picture: {error}."
    return ""
