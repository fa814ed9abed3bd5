"""The field: floor, ceiling, walls, corners cut at 45 degrees, and goals with their posts and crossbars."""

import jax
import jax.numpy as jnp

from mjx_arena.tasks.car_soccer.vectors import along, least

HALF_WIDTH, HALF_LENGTH, HEIGHT = 4096.0, 5120.0, 2048.0  # along x, y and z
CORNER = 8064.0  # |x| + |y| on the cut corners
GOAL_HALF_WIDTH, GOAL_HEIGHT, GOAL_DEPTH = 892.755, 642.775, 880.0
SCORED = 5124.25 + 91.25  # |y| of the ball's centre beyond which it is a goal
NUM_FLAT = 5

_NONE = 1e6  # uu, the distance of a surface that does not exist there


def surfaces(point: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns inward normals `[5, 3]` of flat surfaces and distances `[5]` uu of a point `[3]`, negative if beyond.

    The surfaces are floor, ceiling, side, back and cut corner on the point's side of the field, or those of a goal if
    the point is in one.
    """
    (x, y, z), (sx, sy) = jnp.abs(point) * jnp.array([1, 1, 0]) + point * jnp.array([0, 0, 1]), _side(point)
    beyond = y - HALF_LENGTH
    in_goal = (beyond > 0) & (beyond > jnp.maximum(x - GOAL_HALF_WIDTH, z - GOAL_HEIGHT))
    in_mouth = (x < GOAL_HALF_WIDTH) & (z < GOAL_HEIGHT)
    zero, half = jnp.zeros(()), jnp.sqrt(0.5)
    normals = jnp.stack(
        [
            jnp.array([0, 0, 1.0]),
            jnp.array([0, 0, -1.0]),
            jnp.stack([-sx, zero, zero]),
            jnp.stack([zero, -sy, zero]),
            jnp.stack([-sx * half, -sy * half, zero]),
        ]
    )
    distances = jnp.stack(
        [
            z,
            jnp.where(in_goal, GOAL_HEIGHT, HEIGHT) - z,
            jnp.where(in_goal, GOAL_HALF_WIDTH, HALF_WIDTH) - x,
            jnp.where(in_goal, GOAL_DEPTH - beyond, jnp.where(in_mouth, _NONE, -beyond)),
            (CORNER - x - y) * half,
        ]
    )
    return normals, distances


def edges(point: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns normals `[2, 3]` and distances `[2]` uu of a goal's post and crossbar, from a point `[3]` before it."""
    (x, y, z), (sx, sy) = jnp.abs(point), _side(point)
    across, past, above = x - GOAL_HALF_WIDTH, y - HALF_LENGTH, z - GOAL_HEIGHT
    in_front = (across < 0) & (above < 0) & (past < 0)
    post, bar = jnp.sqrt(across**2 + past**2 + 1e-6), jnp.sqrt(above**2 + past**2 + 1e-6)
    zero = jnp.zeros(())
    normals = jnp.stack([jnp.stack([sx * across, sy * past, zero]) / post, jnp.stack([zero, sy * past, above]) / bar])
    return normals, jnp.where(in_front, jnp.stack([post, bar]), _NONE)


def cast(origin: jax.Array, direction: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the length `[]` uu of a ray from `origin` `[3]` along a unit vector `[3]`, and the normal `[3]` there."""
    normals, distances = surfaces(origin)
    approach = -along(normals, direction)
    reach = jnp.where(approach > 1e-3, distances / jnp.maximum(approach, 1e-3), _NONE)
    nearest, normal = least(reach, normals)
    return nearest, normal


def _side(point: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.where(point[0] < 0, -1.0, 1.0), jnp.where(point[1] < 0, -1.0, 1.0)
