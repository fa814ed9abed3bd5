"""Physics arenas for agents that learn by competing: bodies, games, engines, and many matches as one program."""

import dataclasses

from mjx_arena import opengl as opengl  # before all that imports MuJoCo
from mjx_arena.check import check_arena
from mjx_arena.physics import PhysicsSettings
from mjx_arena.tasks import build, list_tasks, settings_of
from mjx_arena.types import Arena, ArenaState, Box, Discrete, Physics, PhysicsState, TimeStep
from mjx_arena.validation import SettingError

__all__ = [
    "Arena",
    "ArenaState",
    "Box",
    "Discrete",
    "Physics",
    "PhysicsSettings",
    "PhysicsState",
    "SettingError",
    "TimeStep",
    "build",
    "check_arena",
    "list_tasks",
    "make",
    "settings_of",
]


def make(task: str, physics: PhysicsSettings | str = "mjx", **overrides) -> Arena:
    """The arena of one match of `task`; `overrides` replace fields of the task's settings.

    Raises SettingError, which names the key, for an unknown task or setting and for values that cannot work.
    """
    settings_type = settings_of(task)
    known = {field.name for field in dataclasses.fields(settings_type)}
    for key, value in overrides.items():
        if key not in known:
            raise SettingError(f"task.{key}", value, f"{task} has no such setting; it has {', '.join(sorted(known))}")
    if isinstance(physics, str):
        physics = PhysicsSettings(engine=physics)
        physics.validate()
    return build(settings_type(**overrides), physics)
