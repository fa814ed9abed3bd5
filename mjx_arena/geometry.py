"""Rotations and headings, for tasks. Quaternions are MuJoCo's: (w, x, y, z), of unit length."""

import jax
import jax.numpy as jnp


def rotation_matrix(quat: jax.Array) -> jax.Array:
    """Returns matrices `[..., 3, 3]` from body to world coordinates, for quaternions `[..., 4]`."""
    w, x, y, z = jnp.moveaxis(quat, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


def heading(rotation: jax.Array) -> jax.Array:
    """Returns the body's x axis projected on the ground, as unit vectors `[..., 2]`, for matrices `[..., 3, 3]`."""
    forward = rotation[..., :2, 0]
    return forward / jnp.maximum(jnp.linalg.norm(forward, axis=-1, keepdims=True), 1e-6)


def to_heading_frame(vector: jax.Array, facing: jax.Array) -> jax.Array:
    """Returns world vectors `[..., 3]` as (ahead, left, up) of an observer who looks along `facing` `[..., 2]`."""
    x, y, z = jnp.moveaxis(vector, -1, 0)
    cos, sin = jnp.moveaxis(facing, -1, 0)
    return jnp.stack([cos * x + sin * y, cos * y - sin * x, z], -1)


def yaw_quaternion(angle: jax.Array) -> jax.Array:
    """Returns quaternions `[..., 4]` of turns by `angle` `[...]` rad about the vertical."""
    zero = jnp.zeros_like(angle)
    return jnp.stack([jnp.cos(angle / 2), zero, zero, jnp.sin(angle / 2)], -1)


def turned(quat: jax.Array, angle: jax.Array) -> jax.Array:
    """Returns quaternions `[..., 4]` after a further turn by `angle` `[...]` rad about the world's vertical."""
    w, x, y, z = jnp.moveaxis(quat, -1, 0)
    cos, sin = jnp.cos(angle / 2), jnp.sin(angle / 2)
    return jnp.stack([cos * w - sin * z, cos * x - sin * y, cos * y + sin * x, cos * z + sin * w], -1)
