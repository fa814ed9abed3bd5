"""The games. A game is one file with a settings dataclass and an `Arena`; `_TASKS` is where it gets its name."""

from mjx_arena.physics import PhysicsSettings
from mjx_arena.tasks.ant_battle import AntBattle, AntBattleSettings
from mjx_arena.tasks.ant_sumo import AntSumo, AntSumoSettings
from mjx_arena.tasks.car_soccer import CarSoccer, CarSoccerSettings
from mjx_arena.tasks.humanoid_duel import HumanoidDuel, HumanoidDuelSettings
from mjx_arena.tasks.humanoid_pose import HumanoidPose, HumanoidPoseSettings
from mjx_arena.tasks.qwop import Qwop, QwopSettings
from mjx_arena.types import Arena
from mjx_arena.validation import SettingError, require_finite

__all__ = ["build", "list_tasks", "register", "settings_of"]

_TASKS = {
    "ant_battle": (AntBattleSettings, AntBattle),
    "ant_sumo": (AntSumoSettings, AntSumo),
    "car_soccer": (CarSoccerSettings, CarSoccer),
    "humanoid_duel": (HumanoidDuelSettings, HumanoidDuel),
    "humanoid_pose": (HumanoidPoseSettings, HumanoidPose),
    "qwop": (QwopSettings, Qwop),
}


def register(settings_type: type, arena_type: type) -> None:
    """Gives a game from elsewhere the name that its settings carry; it must not be taken by another one."""
    name = settings_type().name
    if _TASKS.get(name, (settings_type, arena_type)) != (settings_type, arena_type):
        raise SettingError("task", name, "another task has this name")
    _TASKS[name] = (settings_type, arena_type)


def list_tasks() -> tuple[str, ...]:
    """Names that `make` takes."""
    return tuple(_TASKS)


def settings_of(name: str) -> type:
    """The settings dataclass of a task. Raises SettingError for a name that is not there."""
    if name not in _TASKS:
        raise SettingError("task", name, f"there is no such task; choose one of {', '.join(_TASKS)}")
    return _TASKS[name][0]


def build(settings, physics: PhysicsSettings) -> Arena:
    """The arena of a task's settings on the engine that `physics` names. Raises SettingError."""
    settings_of(settings.name)
    require_finite(settings, "task")
    require_finite(physics, "physics")
    return _TASKS[settings.name][1](settings, physics)
