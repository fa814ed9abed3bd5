"""The base class of engines, and the registry: every module of this package that defines a subclass adds an engine."""

import importlib
import importlib.util
import pkgutil
from typing import TYPE_CHECKING, ClassVar

import mujoco

from mjx_arena.physics.validation import validate
from mjx_arena.types import Physics
from mjx_arena.validation import SettingError, require

if TYPE_CHECKING:
    from mjx_arena.physics.settings import PhysicsSettings


class Engine(Physics):
    """The base class of all engines. A new engine is a module of this package with a subclass.

    Modules are imported to read the traits, before anything runs: packages that take long to import, or that may be
    missing, must be imported in the constructor.
    """

    name: ClassVar[str]  # name in the configuration
    title: ClassVar[str]  # name in texts and tables
    device: ClassVar[str | None] = None  # backend, by JAX's name, that it is the default for; None: none
    requires: ClassVar[tuple[str, ...]] = ()  # modules of this project's extra that has the engine's name
    in_xla: ClassVar[bool] = True  # a step is a program of XLA, linear algebra included; see `devices.configure`
    reproducible: ClassVar[bool] = True  # equal inputs give equal bits, from run to run

    def __init__(self, model: mujoco.MjModel, settings: "PhysicsSettings"):
        """Raises SettingError if a module is missing, ValueError for a model that the engines simulate differently.

        `settings` are for subclasses with settings of their own.
        """
        del settings
        missing = [module for module in self.requires if importlib.util.find_spec(module) is None]
        remedy = f"needs the extra: pip install -e '.[{self.name}]'"
        require(not missing, "physics.engine", self.name, remedy)
        validate(model)
        self.model = model

    @classmethod
    def vmap_block_size(cls, settings: "PhysicsSettings") -> int | None:
        """Returns how many arenas one `vmap` steps together; None for all of them."""
        del settings
        return None

    @classmethod
    def one_device(cls) -> bool:
        """Returns whether only a program of one device may use the engine, which then uses every core itself."""
        return False

    @classmethod
    def notice(cls) -> str | None:
        """Returns one line on what this machine lacks for the engine to be at its best; None: nothing."""
        return None


def engines() -> dict[str, type[Engine]]:
    """Returns all engines by name."""
    package = importlib.import_module(__package__ or "")
    found = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            defined_here = isinstance(value, type) and value.__module__ == module.name
            if defined_here and issubclass(value, Engine) and "name" in vars(value):
                found[value.name] = value
    return found


def engine_named(name: str, key: str = "physics.engine") -> type[Engine]:
    """Returns the engine's class. Raises SettingError, about `key`, for an unknown name."""
    known = engines()
    if name not in known:
        raise SettingError(key, name, f"must be one of {', '.join(known)}")
    return known[name]
