"""Actions of a policy: a table with 90 rows of controls, or 8 continuous controls."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.tasks.car_soccer.aerial import DOUBLE_JUMP_WITHIN
from mjx_arena.tasks.car_soccer.car import CarState, Controls

NAMES = ("throttle", "steer", "pitch", "yaw", "roll", "jump", "boost", "handbrake")


def _rows() -> np.ndarray:
    """Builds the rows of RLGym's table, 24 for the ground and then 66 for the air: `[90, 8]`."""
    ground = [
        (throttle, steer, 0, steer, 0, 0, boost, handbrake)
        for throttle, steer, boost, handbrake in itertools.product((-1, 0, 1), (-1, 0, 1), (0, 1), (0, 1))
        if throttle == 1 or not boost
    ]
    air = [
        (boost, yaw, pitch, yaw, roll, jump, boost, jump and (pitch, yaw, roll) != (0, 0, 0))
        for pitch, yaw, roll, jump, boost in itertools.product((-1, 0, 1), (-1, 0, 1), (-1, 0, 1), (0, 1), (0, 1))
        if not (jump and yaw) and (pitch, roll, jump) != (0, 0, 0)
    ]
    return np.array(ground + air, np.float32)


def describe(values: np.ndarray) -> str:
    """Returns the names and values of controls `[8]`, without those that are 0."""
    return ", ".join(f"{name} {value:+.2g}" for name, value in zip(NAMES, values, strict=True) if value) or "nothing"


TABLE = _rows()  # [90, 8]
NUM_ROWS = len(TABLE)
ROW_NAMES = tuple(map(describe, TABLE))
IDLE = int(np.flatnonzero((TABLE == 0).all(1))[0])
NUM_GROUND_ROWS = 24  # the first rows
_FOR_GROUND, _JUMPS, _HANDBRAKE = np.arange(NUM_ROWS) < NUM_GROUND_ROWS, TABLE[:, 5] > 0, TABLE[:, 7] > 0


def legal(state: CarState) -> jax.Array:
    """Returns the rows that have an effect in a car's state, `[90]` bool.

    On the wheels rows that drive or jump are legal; in the air those without handbrake, or with a legal jump. A jump is
    legal on the ground, while the last one still pushes, as a second jump, and on the roof.
    """
    second = ~state.double_jumped & ~state.dodged & (state.air_time < DOUBLE_JUMP_WITHIN)
    may_jump = state.on_ground | state.jumping | second | state.hull_touches
    ground, jumps, handbrake = jnp.asarray(_FOR_GROUND), jnp.asarray(_JUMPS), jnp.asarray(_HANDBRAKE)
    return jnp.where(jumps, may_jump, jnp.where(state.on_ground, ground, ~handbrake))


def chosen(row: jax.Array, state: CarState) -> jax.Array:
    """Returns the controls `[8]` of a row `[]`; those of no key if the row is illegal."""
    return jnp.asarray(TABLE)[jnp.where(legal(state)[row], row, IDLE)]


def controls(values: jax.Array) -> Controls:
    """Converts values `[8]` in [-1, 1], in the order of `NAMES`; a key whose value is above 0 is pressed."""
    axes, keys = values[:5], values[5:] > 0
    return Controls(*axes, *keys)


def held(values: jax.Array, left: jax.Array, steps: int) -> tuple[jax.Array, jax.Array]:
    """Returns values `[8]` with sticky keys, which stay pressed for `steps` control steps, and the steps left `[3]`."""
    pressed = values[5:] > 0
    left = jnp.where(pressed & (left == 0), steps, jnp.maximum(left, 0))
    keys = pressed | (left > 0)
    return values.at[5:].set(keys), jnp.maximum(left - 1, 0)
