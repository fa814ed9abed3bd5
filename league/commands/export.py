"""The command export: writes a policy to one small file, for this program or for other people's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from league.evaluation.sources import Contestant, open_source
from league.exports import contents, formats
from mjx_arena import devices
from mjx_arena.validation import require

PURPOSE = "Writes a policy to one small file, which this program (.npz) or other people's programs play."
EXAMPLES = (
    "python scripts/export.py run=runs/ant_sumo/2026-01-31_12-00-00 out=champion.npz",
    "python scripts/export.py run=champion.npz out=champion.onnx sampled=true",
)


@dataclass(frozen=True)
class ExportSettings:
    """Settings of an export: which policy is written, where, and how."""

    run: str | None = None  # folder of a run, or an .npz file that export.py wrote
    out: str = "policy.npz"  # the file to write
    format: str | None = None  # npz, onnx, stablehlo, or rlgym (.npz, car soccer alone); null: by the ending of out
    sampled: bool = False  # draw actions, by noise that the file takes as an input; false: take the most likely ones
    checkpoint: int | None = None  # iteration of the policy; null: that of the last checkpoint
    game_file: str | None = None  # the Python file of your own game, for an exported policy that plays it

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong."""
        require(self.run is not None, "run", self.run, "must be given: the folder of a run, or a policy's file")
        form = formats.chosen(self.format, self.out)
        remedy = "is for the other formats; who reads an .npz decides how actions are chosen"
        require(form.draws or not self.sampled, "sampled", self.sampled, remedy)


SETTINGS = ExportSettings


def export(settings: ExportSettings) -> Contestant:
    """Writes the policy and returns it. Raises SettingError, CheckpointError or PolicyFileError."""
    settings.validate()
    devices.configure(1)
    source = open_source(str(settings.run), settings.checkpoint)
    contestant = source.newest()
    held = contents.of(contestant, source.settings, source.arena, settings.sampled)
    formats.write(settings.out, formats.chosen(settings.format, settings.out), held)
    size = Path(settings.out).stat().st_size / 1000
    print(f"wrote {settings.out}: {source.settings.task_name}, iteration {contestant.iteration}, {size:.0f} kB")
    return contestant


def run(settings: ExportSettings, written: Mapping[str, Any]) -> None:
    """Exports for the command line."""
    del written
    export(settings)
