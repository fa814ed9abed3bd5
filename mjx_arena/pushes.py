"""Random pushes: sudden changes of velocity at regular intervals, against which a body has to keep its balance."""

import chex
import jax
import jax.numpy as jnp


def draw_pushes(key: chex.PRNGKey, num_bodies: int, steps: int, interval: int, speed: tuple[float, float]) -> jax.Array:
    """Draws K pushes for each of n bodies, `[K, n, 2]` m/s: as many as `steps` have time for.

    Directions are horizontal and uniform; sizes are uniform between the two of `speed`.
    """
    count = max(1, -(-(steps - interval // 2) // interval))
    k_angle, k_speed = jax.random.split(key)
    angle = jax.random.uniform(k_angle, (count, num_bodies), maxval=2 * jnp.pi)
    size = jax.random.uniform(k_speed, (count, num_bodies), minval=speed[0], maxval=speed[1])
    return size[..., None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)


def push_at(pushes: jax.Array, step: jax.Array, interval: int) -> jax.Array:
    """Returns the push `[n, 2]` m/s of control step `step`, or 0: one every `interval`, the first after half of it."""
    due = step % interval == interval // 2
    return jnp.where(due, pushes[step // interval], 0)
