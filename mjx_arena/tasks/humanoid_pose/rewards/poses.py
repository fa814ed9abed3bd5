"""Stand, kneel, walk and get up, and what counts as having done so. Weights of terms in [0, 1] add up to 1 a step."""

import jax
import jax.numpy as jnp

from mjx_arena.tasks.humanoid_pose.body import STANDING_HEIGHT, HumanoidState
from mjx_arena.tasks.humanoid_pose.rewards import terms

KNEELING_HEIGHT = 0.89  # m, of the torso above knees and upright thighs
WALKING_SPEED = 1.0  # m/s that a walk must reach; the reward asks for more
_HEAD_HEIGHT = STANDING_HEIGHT + 0.19


def stand(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Tall, upright, over both feet and at rest, with little effort."""
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
    """Within 10 cm of the standing height `[]` bool."""
    return jnp.abs(m.height - STANDING_HEIGHT) < 0.1


def kneel(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """On both knees, upright, at rest, with little effort."""
    return _summed(
        knees=0.35 * terms.low_knees(m),
        height=0.15 * terms.height(m, KNEELING_HEIGHT, 0.2),
        upright=0.25 * terms.upright(m),
        still=0.15 * terms.still(m),
        survival=jnp.float32(0.1),
        effort=-0.1 * terms.effort(m),
    )


def kneeling(m: HumanoidState) -> jax.Array:
    """Both knees down and the torso within 20 degrees of upright `[]` bool."""
    return (m.knees[:, 2] < 0.1).all() & (m.tilt < jnp.deg2rad(20))


def walk(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Forwards along the world's x axis, upright and facing that way."""
    return _summed(
        forward=0.6 * terms.forward(m, 1.5 * WALKING_SPEED),
        upright=0.1 * terms.upright(m),
        height=0.1 * terms.height(m, STANDING_HEIGHT, 0.2),
        ahead=0.1 * terms.ahead(m),
        survival=jnp.float32(0.1),
        effort=-0.1 * terms.effort(m),
    )


def fast_enough(m: HumanoidState) -> jax.Array:
    """Has come along the world's x axis at `WALKING_SPEED` on average, so far `[]` bool."""
    return m.position[0] >= WALKING_SPEED * m.time


def getup(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The higher the head the better; and, the higher it is, upright, over the feet and at rest."""
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
