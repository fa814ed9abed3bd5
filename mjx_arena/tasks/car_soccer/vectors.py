"""Small vectors as separate components: on a CPU, batches of tiny reductions or look-ups cost more."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Parts = tuple[Any, ...]  # components x, y and z, each of the same shape


def parts(vector: jax.Array) -> Parts:
    """Returns the components `[...]` of vectors `[..., 3]`."""
    return vector[..., 0], vector[..., 1], vector[..., 2]


def dot(one: Parts, other: Parts) -> jax.Array:
    """Returns the scalar product."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def cross(one: Parts, other: Parts) -> Parts:
    """Returns the vector product."""
    (a, b, c), (x, y, z) = one, other
    return b * z - c * y, c * x - a * z, a * y - b * x


def plus(one: Parts, other: Parts) -> Parts:
    """Returns the sum."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def times(factor: jax.Array, vector: Parts) -> Parts:
    """Returns the multiple."""
    return factor * vector[0], factor * vector[1], factor * vector[2]


def along(one: jax.Array | np.ndarray, other: jax.Array) -> jax.Array:
    """Returns scalar products `[...]` of vectors `[..., 3]`."""
    product = other * one
    return product[..., 0] + product[..., 1] + product[..., 2]


def to_world(rotation: jax.Array, vector: jax.Array | np.ndarray) -> jax.Array:
    """Converts vectors `[..., 3]` from a body's coordinates to the world's, with the body's rotation `[3, 3]`."""
    x, y, z = vector[..., :1], vector[..., 1:2], vector[..., 2:]
    return rotation[:, 0] * x + rotation[:, 1] * y + rotation[:, 2] * z


def to_body(rotation: jax.Array, vector: jax.Array | np.ndarray) -> jax.Array:
    """Converts vectors `[..., 3]` from world coordinates to a body's, with the body's rotation `[3, 3]`."""
    x, y, z = vector[..., :1], vector[..., 1:2], vector[..., 2:]
    return rotation[0] * x + rotation[1] * y + rotation[2] * z


def curve(x: jax.Array, knots: np.ndarray, values: np.ndarray) -> jax.Array:
    """Returns `jnp.interp(x, knots, values)`."""
    slopes = np.diff(values) / np.diff(knots)
    climbed = [jnp.clip(x - low, 0, width) for low, width in zip(knots[:-1], np.diff(knots), strict=True)]
    return values[0] + sum(slope * run for slope, run in zip(slopes, climbed, strict=True))


def least(values: jax.Array, *rows: jax.Array) -> tuple[jax.Array, ...]:
    """Returns the smallest of `values` `[n]`, and the entry of each of `rows` `[n, ...]` at its index; n is small."""
    found = [values[0], *(row[0] for row in rows)]
    for index in range(1, values.shape[0]):
        smaller = values[index] < found[0]
        found = [jnp.where(smaller, row[index], best) for row, best in zip((values, *rows), found, strict=True)]
    return tuple(found)
