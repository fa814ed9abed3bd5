"""Physics engines: each steps one model for one arena; the batch axis comes from `jax.vmap`."""

from collections.abc import Callable

import mujoco

from mjx_arena.physics.settings import ENGINES, ModelSettings, PhysicsSettings
from mjx_arena.types import Physics

__all__ = ["ENGINES", "ModelSettings", "PhysicsSettings", "make_physics"]


def make_physics(spec: mujoco.MjSpec, settings: PhysicsSettings) -> Physics:
    """The engine that `settings.engine` names over `spec`, whose options take the values of `settings.model`."""
    for key in ("timestep", "iterations", "ls_iterations"):
        value = getattr(settings.model, key)
        if value is not None:
            setattr(spec.option, key, value)
    return _ENGINES[settings.engine](spec.compile(), settings)


def _mjx(model: mujoco.MjModel, settings: PhysicsSettings) -> Physics:
    from mjx_arena.physics.mjx import MjxPhysics  # importing MJX costs seconds: only when it is used

    return MjxPhysics(model)


def _native(model: mujoco.MjModel, settings: PhysicsSettings) -> Physics:
    from mjx_arena.physics.native import NativePhysics

    return NativePhysics(model)


def _warp(model: mujoco.MjModel, settings: PhysicsSettings) -> Physics:
    from mjx_arena.physics.warp import WarpPhysics

    return WarpPhysics(model, settings)


_ENGINES: dict[str, Callable[[mujoco.MjModel, PhysicsSettings], Physics]] = {
    "mjx": _mjx,
    "native": _native,
    "warp": _warp,
}
