"""Terms of rewards: functions of a `HumanoidState` that return `[]` in [0, 1], where 1 is best except for `effort`."""

import jax
import jax.numpy as jnp

from mjx_arena.tasks.humanoid_pose.body import HumanoidState


def bell(x: jax.Array, width: float) -> jax.Array:
    """Returns exp(-(x / width)^2): 1 at 0, 1/e at `width`."""
    return jnp.exp(-jnp.square(x / width))


def height(m: HumanoidState, target: float, width: float) -> jax.Array:
    """Scores the height of the torso: 1 at `target` m, 1/e at `width` m from it."""
    return bell(m.height - target, width)


def upright(m: HumanoidState) -> jax.Array:
    """Scores an upright torso: 1/e at a tilt of 30 degrees."""
    return bell(m.tilt, jnp.pi / 6)


def over_feet(m: HumanoidState) -> jax.Array:
    """Scores the centre of mass above the middle of the feet: 1/e at 10 cm from it."""
    return bell(jnp.linalg.norm((m.com - m.feet.mean(0))[:2] + 1e-6), 0.1)


def foot_balance(m: HumanoidState) -> jax.Array:
    """Scores equal load on both feet, by where the centre of mass lies between them, which is exact at rest.

    Contact forces are not part of a state.
    """
    across = (m.feet[1] - m.feet[0])[:2]
    # From the middle, for feet in one place to be alike too.
    offset = jnp.dot((m.com - m.feet.mean(0))[:2], across) / jnp.maximum(jnp.dot(across, across), 1e-4)
    return 1 - 2 * jnp.minimum(jnp.abs(offset), 0.5)


def still(m: HumanoidState) -> jax.Array:
    """Scores a centre of mass at rest: 1/e at 0.5 m/s."""
    return bell(jnp.linalg.norm(m.com_velocity + 1e-6), 0.5)


def forward(m: HumanoidState, target: float) -> jax.Array:
    """Scores the speed of the centre of mass along the world's x axis: 1 from `target` m/s on, 0 backwards."""
    return jnp.clip(m.com_velocity[0] / target, 0, 1)


def ahead(m: HumanoidState) -> jax.Array:
    """Scores a torso that faces along the world's x axis: 0 at a right angle and beyond."""
    return jnp.clip(m.rotation[0, 0], 0, 1)


def low_knees(m: HumanoidState) -> jax.Array:
    """Scores knees on the ground, whose capsules have a radius of 5 cm: 1/e at 15 cm above it, a mean of both."""
    return bell(jnp.maximum(m.knees[:, 2] - 0.05, 0), 0.15).mean()


def effort(m: HumanoidState) -> jax.Array:
    """Returns the mean square of the controls, which rewards subtract."""
    return jnp.mean(jnp.square(m.action))
