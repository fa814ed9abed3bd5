"""Earlier rewards for standing and kneeling, from a project on Stable-Baselines3, for comparison.

They are kept as that project computed them, which is not what it intended: `stand` pays for walking at 1 m/s, and the
forces on the feet and the velocity of the centre of mass were always 0, because the model had no sensors.
"""

import jax
import jax.numpy as jnp

from mjx_arena.tasks.humanoid_pose.body import STANDING_HEIGHT, HumanoidState


def stand(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Pays for height, uprightness, little effort and a speed of 1 m/s; nothing while the torso is below 0.8 m."""
    parts = {
        "velocity": 0.4 * jnp.exp(-2 * jnp.square(m.velocity[0] - 1)),
        "height": 0.15 * jnp.exp(-2 * jnp.square(m.height - STANDING_HEIGHT)),
        "upright": 0.15 * jnp.exp(-3 * _lean(m)),
        "foot_balance": jnp.float32(0.2),  # 0.2 (1 - F), and F was always 0
        "effort": 0.1 * jnp.exp(-0.05 * jnp.sum(jnp.square(m.action))),
    }
    parts = {name: jnp.where(m.height < 0.8, 0.0, part) for name, part in parts.items()}
    return jnp.stack(list(parts.values())).sum(), parts


def kneel(m: HumanoidState) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Pays for posture, balance and little power; while the torso is below 0.85 m, only the square of its height."""
    posture = 0.7 * jnp.exp(-5 * _lean(m) / (jnp.pi / 6) ** 2) + 0.3 * jnp.exp(
        -5 * jnp.square(m.height - STANDING_HEIGHT)
    )
    offset = jnp.linalg.norm((m.com - m.feet.mean(0))[:2] + 1e-6)
    parts = {
        "posture": 0.3 * posture,
        "com": 0.2 * (0.7 * jnp.exp(-10 * offset / 0.1) + 0.3),  # 0.3 exp(-0.1 |v|^2), and v was always 0
        "foot_balance": jnp.float32(0.0),
        "energy": 0.3 * jnp.exp(-0.01 * jnp.sum(jnp.square(m.power))),
        "survival": 0.1 * (1 - jnp.exp(-0.5 * m.time)),
    }
    low = m.height < 0.85
    parts = {name: jnp.where(low, 0.0, part) for name, part in parts.items()} | {
        "low": jnp.where(low, jnp.square(m.height), 0.0)
    }
    return jnp.stack(list(parts.values())).sum(), parts


def _lean(m: HumanoidState) -> jax.Array:
    """Returns roll^2 + pitch^2 `[]` of the torso, rad^2."""
    roll = jnp.arctan2(m.rotation[2, 1], m.rotation[2, 2])
    pitch = jnp.arcsin(jnp.clip(-m.rotation[2, 0], -1, 1))
    return jnp.square(roll) + jnp.square(pitch)
