"""Terms of rewards, each of one `HumanoidState` and, unless said otherwise, in [0, 1] with 1 as good as it can be."""

import jax
import jax.numpy as jnp

from mjx_arena.tasks.humanoid_pose.body import HumanoidState


def bell(x: jax.Array, width: float) -> jax.Array:
    """1 at 0, 1/e at `width`."""
    return jnp.exp(-jnp.square(x / width))


def height(m: HumanoidState, target: float, width: float) -> jax.Array:
    """The torso as high as `target`, m."""
    return bell(m.height - target, width)


def upright(m: HumanoidState) -> jax.Array:
    """The torso upright; 1/e at a tilt of 30 degrees."""
    return bell(m.tilt, jnp.pi / 6)


def over_feet(m: HumanoidState) -> jax.Array:
    """The centre of mass above the middle of the feet; 1/e 10 cm beside it."""
    return bell(jnp.linalg.norm((m.com - m.feet.mean(0))[:2] + 1e-6), 0.1)


def foot_balance(m: HumanoidState) -> jax.Array:
    """Both feet carry alike, judged by where the centre of mass lies between them, which is exact when standing still.

    Forces of contacts are no part of a state.
    """
    across = (m.feet[1] - m.feet[0])[:2]
    share = jnp.dot((m.com - m.feet[0])[:2], across) / jnp.maximum(jnp.dot(across, across), 1e-4)
    return 1 - jnp.abs(2 * jnp.clip(share, 0, 1) - 1)


def still(m: HumanoidState) -> jax.Array:
    """The centre of mass at rest; 1/e at 0.5 m/s."""
    return bell(jnp.linalg.norm(m.com_velocity + 1e-6), 0.5)


def forward(m: HumanoidState, target: float) -> jax.Array:
    """The centre of mass moving along the world's x axis, as a share of `target` m/s, which is enough."""
    return jnp.clip(m.com_velocity[0] / target, 0, 1)


def ahead(m: HumanoidState) -> jax.Array:
    """The torso facing along the world's x axis; 0 at a right angle and beyond."""
    return jnp.clip(m.rotation[0, 0], 0, 1)


def low_knees(m: HumanoidState) -> jax.Array:
    """Both knees on the ground, whose capsules have a radius of 5 cm; 1/e when they are 15 cm above it."""
    return bell(jnp.maximum(m.knees[:, 2] - 0.05, 0), 0.15).mean()


def effort(m: HumanoidState) -> jax.Array:
    """Mean square of the controls, in [0, 1]: what a reward subtracts."""
    return jnp.mean(jnp.square(m.action))
