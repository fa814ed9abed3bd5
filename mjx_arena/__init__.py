"""Physics arenas for agents that learn by competing: bodies, games, engines, and many matches in one program."""

from mjx_arena import opengl as opengl  # must come before every import of MuJoCo
from mjx_arena import registry
from mjx_arena.arena import Arena, TaskSettings
from mjx_arena.check import check_arena
from mjx_arena.physics import PhysicsSettings
from mjx_arena.registry import list_tasks, register, settings_type
from mjx_arena.sides import SidedArena, SideSpace
from mjx_arena.types import ArenaState, Box, Discrete, Key, Physics, PhysicsState, Progress, TimeStep, View
from mjx_arena.validation import SettingError, replace_nested

__all__ = [
    "Arena",
    "ArenaState",
    "Box",
    "Discrete",
    "Key",
    "Physics",
    "PhysicsSettings",
    "PhysicsState",
    "Progress",
    "SettingError",
    "SideSpace",
    "SidedArena",
    "TaskSettings",
    "TimeStep",
    "View",
    "check_arena",
    "list_tasks",
    "make",
    "register",
    "settings_type",
]


def make(task: str, physics: PhysicsSettings | str = "mjx", **overrides) -> Arena:
    """Builds an arena of the game `task`. `overrides` replace settings of it; a mapping replaces parts of a group.

    Raises SettingError, which names the key, for an unknown task or setting and for values that cannot work.
    """
    settings = registry.settings_type(task)()
    if isinstance(physics, str):
        physics = PhysicsSettings(engine=physics)
        physics.validate()
    return registry.build(replace_nested(settings, overrides, "task"), physics)
