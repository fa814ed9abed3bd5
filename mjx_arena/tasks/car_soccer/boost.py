"""Boost: how it pushes a car, and the pads where cars pick it up."""

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.tasks.car_soccer.car import CarState, Controls
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.units import TICK

FULL, AT_KICKOFF = 100.0, 100 / 3
_USED = 100 / 3  # boost that a second of pushing uses
_SHORTEST = 0.1  # s
_PUSH, _PUSH_ON_GROUND = 1058.33, 991.67  # uu/s^2


def _mirrored(pads: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns all mirror images of `pads`, in both halves and on both sides of the field."""
    return sorted({(sx * x + 0.0, sy * y + 0.0) for x, y in pads for sx in (-1, 1) for sy in (-1, 1)})


_BIG = _mirrored([(3584, 0), (3072, 4096)])
_SMALL = _mirrored(
    [(0, 4240), (1792, 4184), (940, 3308), (0, 2816), (3584, 2484), (1788, 2300), (2048, 1036), (0, 1024), (1024, 0)]
)
PADS = np.array(_BIG + _SMALL, np.float32)  # [34, 2] uu
NUM_PADS = len(PADS)
IS_BIG = np.arange(NUM_PADS) < len(_BIG)
_GIVES, _RADIUS, _PAUSE = np.where(IS_BIG, 100, 12), np.where(IS_BIG, 208, 144), np.where(IS_BIG, 10, 4)
_REACH = 95.0  # uu above the floor


def push(body: Rigid, state: CarState, controls: Controls) -> tuple[Rigid, CarState]:
    """Applies boost for one tick; once begun, it lasts for at least 0.1 s."""
    going = state.boosting > 0
    stops = going & ~controls.boost & (state.boosting >= _SHORTEST)
    boosting = jnp.where(stops, 0, jnp.where(going | controls.boost, state.boosting + TICK, 0))
    pushes = (state.boost > 0) & (boosting > 0)
    strength = jnp.where(state.on_ground, _PUSH_ON_GROUND, _PUSH)
    left = jnp.maximum(state.boost - _USED * TICK, 0)
    state = state.replace(boosting=boosting, boost=jnp.where(pushes, left, state.boost))
    return body.accelerated(jnp.where(pushes, strength * TICK, 0) * body.forward), state


def pick_up(
    timers: jax.Array, positions: jax.Array, boost: jax.Array, present: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns timers `[34]` s until pads give again, and boost `[A]` of cars at `positions` `[A, 3]`, after a tick.

    If several cars reach a pad in the same tick, the nearest takes it.
    """
    timers = jnp.maximum(timers - TICK, 0)
    distance = (positions[:, :1] - PADS[:, 0]) ** 2 + (positions[:, 1:2] - PADS[:, 1]) ** 2
    inside = (distance < _RADIUS**2) & (positions[:, None, 2] < _REACH) & present[:, None] & (boost[:, None] < FULL)
    distance = jnp.where(inside, distance, jnp.inf)
    takes = inside & (distance <= distance.min(0)) & (timers == 0)
    boost = jnp.minimum(boost + (takes * _GIVES).sum(1), FULL)
    return jnp.where(takes.any(0), _PAUSE, timers), boost
