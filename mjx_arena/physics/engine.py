"""What every engine is: a class with traits, in a module of this package that is found by being there."""

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
    """The base of all engines. A new one is a module beside this one, with a subclass.

    The module is imported to read the traits, before anything runs: packages that take long to import, or that may be
    missing, belong into the constructor.
    """

    name: ClassVar[str]  # in the configuration
    title: ClassVar[str]  # for people
    device: ClassVar[str | None] = None  # JAX's name of the backend that it is the choice for; None for none of them
    requires: ClassVar[tuple[str, ...]] = ()  # modules that come with this project's extra of the engine's name
    runs_on_host: ClassVar[bool] = False  # called by one device's program, it uses every core itself
    reproducible: ClassVar[bool] = True  # same inputs, same bits, from run to run

    def __init__(self, model: mujoco.MjModel, settings: "PhysicsSettings"):
        """Raises SettingError where a module is missing, ValueError for a model that the engines simulate differently.

        `settings` serve the engines that have some of their own.
        """
        del settings
        missing = [module for module in self.requires if importlib.util.find_spec(module) is None]
        remedy = f"needs the extra: pip install -e '.[{self.name}]'"
        require(not missing, "physics.engine", self.name, remedy)
        validate(model)
        self.model = model

    @classmethod
    def vmap_block_size(cls, settings: "PhysicsSettings") -> int | None:
        """Arenas that one `vmap` steps together; None for all of them."""
        del settings
        return None


def engines() -> dict[str, type[Engine]]:
    """All there are, by name."""
    package = importlib.import_module(__package__ or "")
    found = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            defined_here = isinstance(value, type) and value.__module__ == module.name
            if defined_here and issubclass(value, Engine) and "name" in vars(value):
                found[value.name] = value
    return found


def engine_named(name: str, key: str = "physics.engine") -> type[Engine]:
    """Raises SettingError, as a value of `key`, for an engine that is not there."""
    known = engines()
    if name not in known:
        raise SettingError(key, name, f"must be one of {', '.join(known)}")
    return known[name]
