"""Rewards and goals of standing, kneeling, walking and getting up; what is paid in a control step is at most 1."""

import jax
import jax.numpy as jnp

from mjx_arena.tasks.humanoid_pose.body import STANDING_HEIGHT, HumanoidState
from mjx_arena.tasks.humanoid_pose.rewards import terms

KNEELING_HEIGHT = 0.89  # m, of the torso above knees and upright thighs
WALKING_SPEED = 1.0  # m/s that a walk must reach; the reward rises up to 1.5 times that
_HEAD_HEIGHT = STANDING_HEIGHT + 0.19


def stand(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Pays for standing at full height, upright, over both feet and at rest, with little effort."""
    return _summed(
        height=0.35 * terms.height(m, STANDING_HEIGHT, 0.1),
        upright=0.2 * terms.upright(m),
        over_feet=0.1 * terms.over_feet(m),
        foot_balance=0.05 * terms.foot_balance(m),
        still=0.1 * terms.still(m),
        survival=jnp.float32(0.2),
        effort=-0.1 * terms.effort(m),
    )


def standing(m: HumanoidState) -> jax.Array:
    """Returns whether the torso is within 10 cm of the standing height, `[]` bool."""
    return jnp.abs(m.height - STANDING_HEIGHT) < 0.1


def kneel(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Pays for kneeling on both knees, upright and at rest, with little effort."""
    return _summed(
        knees=0.35 * terms.low_knees(m),
        height=0.15 * terms.height(m, KNEELING_HEIGHT, 0.2),
        upright=0.25 * terms.upright(m),
        still=0.15 * terms.still(m),
        survival=jnp.float32(0.1),
        effort=-0.1 * terms.effort(m),
    )


def kneeling(m: HumanoidState) -> jax.Array:
    """Returns whether both knees are below 10 cm and the torso within 20 degrees of upright, `[]` bool."""
    return (m.knees[:, 2] < 0.1).all() & (m.tilt < jnp.deg2rad(20))


def walk(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Pays for walking along the world's x axis, upright and facing that way."""
    return _summed(
        forward=0.6 * terms.forward(m, 1.5 * WALKING_SPEED),
        upright=0.1 * terms.upright(m),
        height=0.1 * terms.height(m, STANDING_HEIGHT, 0.2),
        ahead=0.1 * terms.ahead(m),
        survival=jnp.float32(0.1),
        effort=-0.1 * terms.effort(m),
    )


def fast_enough(m: HumanoidState) -> jax.Array:
    """Returns whether the mean speed along the world's x axis is at least `WALKING_SPEED` so far, `[]` bool."""
    return m.position[0] >= WALKING_SPEED * m.time


def getup(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Pays for a high head; the higher it is, also for being upright, over the feet and at rest."""
    rise = jnp.clip(m.head_height / _HEAD_HEIGHT, 0, 1)
    return _summed(
        rise=0.4 * rise,
        upright=0.2 * rise * terms.upright(m),
        height=0.2 * terms.height(m, STANDING_HEIGHT, 0.2),
        over_feet=0.1 * rise * terms.over_feet(m),
        still=0.1 * jnp.square(rise) * terms.still(m),
        effort=-0.05 * terms.effort(m),
    )


def _summed(**parts: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    return jnp.stack(list(parts.values())).sum(), parts
