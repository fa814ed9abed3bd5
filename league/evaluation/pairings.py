"""What `conf/evaluation/<task>.yaml` says: whom a run's policy is to play, and where."""

import dataclasses
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from league.config.schema import instantiate
from mjx_arena.physics.settings import PhysicsSettings
from mjx_arena.validation import require


@dataclasses.dataclass(frozen=True)
class Pairing:
    """Whom a run's policy plays, and where."""

    opponent: str | float  # `self`, `initial` (untrained), `passive`, or the share of the run at which it was saved
    task: dict[str, Any] = dataclasses.field(default_factory=dict)  # settings in place of the run's own
    physics: PhysicsSettings | None = None  # in place of the run's own


def load_ladder(conf_dir: str | Path, task: str) -> dict[str, Any]:
    """Settings of the task that a tournament plays with in place of the run's, `ladder` in `evaluation/<task>.yaml`."""
    return _task_changes(_evaluations(conf_dir, task).get("ladder", {}).get("task", {}))


def load_pairings(conf_dir: str | Path, task: str, names: tuple[str, ...] | None = None) -> dict[str, Pairing]:
    """The pairings of `evaluation/<task>.yaml`, or those that are named. Raises SettingError for other names."""
    found = {name: values for name, values in _evaluations(conf_dir, task).items() if name != "ladder"}
    for name in names or ():
        require(name in found, "pairings", name, f"choose from {', '.join(found)}")
    return {name: _pairing(**values) for name, values in found.items() if names is None or name in names}


def _evaluations(conf_dir: str | Path, task: str) -> dict[str, Any]:
    """What the file says; nothing for a task that has none."""
    path = Path(conf_dir) / "evaluation" / f"{task}.yaml"
    text = path.read_text(encoding="utf-8") if path.is_file() else "{}"
    return OmegaConf.to_container(OmegaConf.create(text))  # type: ignore[return-value]


def _task_changes(task: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in task.items()}


def _pairing(opponent: str | float, task: dict[str, Any] | None = None, physics: dict[str, Any] | None = None):
    changes = _task_changes(task or {})
    return Pairing(opponent, changes, None if physics is None else instantiate(PhysicsSettings, physics))
