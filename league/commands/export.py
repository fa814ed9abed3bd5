"""The command export: writes a run's policy to one small file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from league.evaluation import sources
from league.evaluation.policy_file import SUFFIX
from league.evaluation.sources import Contestant, RunSource
from mjx_arena import devices
from mjx_arena.validation import require

PURPOSE = "Writes a run's policy to one small file, which evaluate, record and league.initial_opponents take."
EXAMPLES = ("python scripts/export.py run=runs/ant_sumo/2026-01-31_12-00-00 out=champion.npz",)


@dataclass(frozen=True)
class ExportSettings:
    """Settings of an export: which policy is written, and where."""

    run: str | None = None  # folder of a run
    out: str = "policy.npz"  # the file to write; must end in .npz
    checkpoint: int | None = None  # iteration of the policy; null: that of the last checkpoint

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong."""
        require(self.run is not None, "run", self.run, "must be given: the folder of a run")
        require(Path(self.out).suffix == SUFFIX, "out", self.out, f"must end in {SUFFIX}")


SETTINGS = ExportSettings


def export(settings: ExportSettings) -> Contestant:
    """Writes the policy and returns it. Raises SettingError, CheckpointError or PolicyFileError."""
    settings.validate()
    devices.configure(1)
    source = RunSource(str(settings.run), settings.checkpoint)
    contestant = source.newest()
    sources.export(contestant, source.settings, source.arena, settings.out)
    print(f"wrote {settings.out}: {source.settings.task_name}, iteration {contestant.iteration}")
    return contestant


def run(settings: ExportSettings, written: Mapping[str, Any]) -> None:
    """Exports for the command line."""
    del written
    export(settings)
