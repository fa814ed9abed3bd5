"""The games. A game is one file with a settings dataclass and an `Arena`; `_TASKS` is where it gets its name."""

from mjx_arena.physics import PhysicsSettings
from mjx_arena.settings import SettingError
from mjx_arena.tasks.humanoid_duel import HumanoidDuel, HumanoidDuelSettings
from mjx_arena.types import Arena

__all__ = ["build", "list_tasks", "settings_of"]

_TASKS = {"humanoid_duel": (HumanoidDuelSettings, HumanoidDuel)}


def list_tasks() -> tuple[str, ...]:
    """Names that `make` takes."""
    return tuple(_TASKS)


def settings_of(name: str) -> type:
    """The settings dataclass of a task. Raises SettingError for a name that is not there."""
    if name not in _TASKS:
        raise SettingError("task", name, f"there is no such task; choose one of {', '.join(_TASKS)}")
    return _TASKS[name][0]


def build(settings, physics: PhysicsSettings) -> Arena:
    """The arena of a task's settings on the engine that `physics` names."""
    settings_of(settings.name)
    return _TASKS[settings.name][1](settings, physics)
