"""Self-play: learners, a pool of past policies and matchmaking; subpackages run, evaluate and configure it.

From Python: `league.train(settings)`, `evaluate`, `record`, `export`, `report`, and the settings that they take.
`league.compose(["task=ant_sumo"])` makes the settings of a run as the command line does.
"""

import importlib
from typing import TYPE_CHECKING, Any

import mjx_arena as mjx_arena  # before all that imports MuJoCo, see `mjx_arena.opengl`

if TYPE_CHECKING:
    from league.commands.evaluate import EvaluationSettings, evaluate
    from league.commands.export import ExportSettings, export
    from league.commands.record import RecordSettings, record
    from league.commands.report import ReportSettings, report
    from league.commands.train import train
    from league.config.compose import compose
    from league.settings import RunSettings

__all__ = [
    "EvaluationSettings",
    "ExportSettings",
    "RecordSettings",
    "ReportSettings",
    "RunSettings",
    "compose",
    "evaluate",
    "export",
    "record",
    "report",
    "train",
]
_HOMES = {
    **dict.fromkeys(("evaluate", "EvaluationSettings"), "league.commands.evaluate"),
    **dict.fromkeys(("export", "ExportSettings"), "league.commands.export"),
    **dict.fromkeys(("record", "RecordSettings"), "league.commands.record"),
    **dict.fromkeys(("report", "ReportSettings"), "league.commands.report"),
    "train": "league.commands.train",
    "compose": "league.config.compose",
    "RunSettings": "league.settings",
}


def __getattr__(name: str) -> Any:
    """Imports a name when it is first used, so that importing one part of the league does not import all of it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'league' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
