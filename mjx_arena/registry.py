"""The registry of games: folders of `mjx_arena/tasks`, entry points of installed packages, and files of the user's own.

A package offers a game by an entry point of the group `mjx_arena.games`, such as `catch = "my_package.catch:Catch"`.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from mjx_arena import tasks
from mjx_arena.arena import Arena, TaskSettings
from mjx_arena.physics import PhysicsSettings
from mjx_arena.validation import SettingError, require_finite
from mjx_arena.variation import varied

_GROUP = "mjx_arena.games"
_registered: dict[str, type[Arena]] = {}  # by `register`, which also serves files


def list_tasks() -> tuple[str, ...]:
    """Returns the names of all games, as `make` takes them."""
    own = [module.name for module in pkgutil.iter_modules(tasks.__path__)]
    return tuple(sorted({*own, *(point.name for point in _entry_points()), *_registered}))


def arena_type(name: str) -> type[Arena]:
    """Returns the class of a game. Raises SettingError for an unknown name."""
    if name in _registered:
        return _registered[name]
    if name not in list_tasks():
        raise SettingError(
            "task", name, f"there is no such task; choose one of {', '.join(list_tasks())}, or set game_file"
        )
    for point in _entry_points():
        if point.name == name:
            return point.load()
    return _arena_of(importlib.import_module(f"{tasks.__name__}.{name}"))


def settings_type(name: str) -> type[TaskSettings]:
    """Returns the settings dataclass of a game. Raises SettingError for an unknown name."""
    return arena_type(name).settings_type


def build(settings: TaskSettings, physics: PhysicsSettings) -> Arena:
    """Builds an arena with `settings` on the engine that `physics` names. Raises SettingError for bad values."""
    require_finite(settings, "task")
    require_finite(physics, "physics")
    game = arena_type(settings.name)
    return (varied(game) if settings.randomize.changes else game)(settings, physics)


def register(arena: type[Arena]) -> None:
    """Registers a game under the name in its settings. Raises SettingError if another game has that name."""
    name = arena.settings_type().name
    taken = _registered.get(name, arena) is not arena or (name not in _registered and name in list_tasks())
    if taken:
        raise SettingError("task", name, "another task has this name; give `name` in the settings another default")
    _registered[name] = arena


def register_file(path: str | Path) -> str:
    """Runs a Python file that holds one game, registers it and returns its name. Running it twice does no harm.

    Raises SettingError if the file is missing, fails, or holds no game or several.
    """
    path = Path(path).expanduser().resolve()
    if not (path.suffix == ".py" and path.is_file()):
        raise SettingError("game_file", path, "is no Python file; name one that holds an Arena and its settings")
    module_name = f"mjx_arena_game_{path.stem}"
    module = sys.modules.get(module_name)
    if module is None or getattr(module, "__file__", None) != str(path):
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[module_name]
            raise SettingError("game_file", path, f"cannot be run: {type(error).__name__}: {error}") from error
    try:
        arena = _arena_of(module)
    except ValueError as error:
        raise SettingError("game_file", path, str(error)) from error
    register(arena)
    return arena.settings_type().name


def source_file(name: str) -> Path:
    """Returns the Python file that holds a game's class; a game from outside this project keeps its YAML next to it."""
    return Path(str(sys.modules[arena_type(name).__module__].__file__))


def _arena_of(module: ModuleType) -> type[Arena]:
    """Returns the only game class in a module. Raises ValueError if there is none or several."""
    found: list[Any] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Arena) and "settings_type" in vars(value)
    ]
    if len(found) != 1:
        names = ", ".join(arena.__name__ for arena in found) or "none"
        raise ValueError(f"must hold one subclass of mjx_arena.Arena with a settings_type; it holds {names}")
    return found[0]


@functools.cache  # reading what every installed package offers takes 10 ms, and nothing is installed meanwhile
def _entry_points() -> tuple[importlib.metadata.EntryPoint, ...]:
    return tuple(importlib.metadata.entry_points(group=_GROUP))
