"""Random pushes: velocities that a body is given now and then, to learn and to show that it keeps its balance."""

import chex
import jax
import jax.numpy as jnp


def draw_pushes(key: chex.PRNGKey, num_bodies: int, steps: int, interval: int, speed: tuple[float, float]) -> jax.Array:
    """`[K, n, 2]` m/s in random horizontal directions, uniform in `speed`, for as many as `steps` have time for."""
    count = max(1, -(-(steps - interval // 2) // interval))
    k_angle, k_speed = jax.random.split(key)
    angle = jax.random.uniform(k_angle, (count, num_bodies), maxval=2 * jnp.pi)
    size = jax.random.uniform(k_speed, (count, num_bodies), minval=speed[0], maxval=speed[1])
    return size[..., None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)


def push_at(pushes: jax.Array, step: jax.Array, interval: int) -> jax.Array:
    """What `pushes` `[K, n, 2]` add in this control step `[n, 2]` m/s: one every `interval`, the first after half."""
    due = step % interval == interval // 2
    return jnp.where(due, pushes[step // interval], 0)
