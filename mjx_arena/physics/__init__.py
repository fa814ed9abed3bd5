"""Physics engines: each steps one model for one arena; the batch axis comes from `jax.vmap`."""

import mujoco

from mjx_arena.physics.engine import Engine, engines
from mjx_arena.physics.settings import ModelSettings, PhysicsSettings
from mjx_arena.physics.validation import SPARSE_IS_WRONG

__all__ = ["Engine", "ModelSettings", "PhysicsSettings", "engines", "make_physics"]


def make_physics(spec: mujoco.MjSpec, settings: PhysicsSettings) -> Engine:
    """Compiles `spec` and builds the engine of `settings` on it; sets the options of `settings.model` in `spec`.

    Raises SettingError if a module of the engine is missing, ValueError for a model that engines simulate differently.
    """
    for key in ("timestep", "iterations", "ls_iterations"):
        value = getattr(settings.model, key)
        if value is not None:
            setattr(spec.option, key, value)
    if mujoco.__version__ == SPARSE_IS_WRONG and spec.option.jacobian == mujoco.mjtJacobian.mjJAC_AUTO:
        spec.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE  # as in MJX, always
    return settings.traits(spec.compile(), settings)
