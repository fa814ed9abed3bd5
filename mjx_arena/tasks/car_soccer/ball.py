"""The ball: drag, and bounces off the field."""

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.tasks.car_soccer import field
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.units import GRAVITY, TICK
from mjx_arena.tasks.car_soccer.vectors import along, least

RADIUS, MASS = 91.25, 30.0  # uu, kg
REST_HEIGHT = 93.15  # uu, height before kick-off
MAX_SPEED, MAX_SPIN = 6000.0, 6.0
_DRAG = (1 - 0.03) ** TICK  # share of the speed that is left after a tick
_RESTITUTION, _FRICTION = 0.6, 0.35
_SLOW = 10.0  # uu/s of approach, below which nothing bounces
_FALL = np.array([0, 0, -GRAVITY * TICK])


def before_step(ball: Rigid) -> Rigid:
    """Applies drag and the impulses of what the ball touches, before the engine's step, which adds gravity."""
    ball = ball.replace(velocity=(ball.velocity + _FALL) * _DRAG)
    normals, distances = (
        jnp.concatenate(parts) for parts in zip(field.surfaces(ball.position), field.edges(ball.position), strict=True)
    )
    # One impulse up or down, and one from the side that is nearest: the ball lies on the floor when it meets a wall.
    for group in (slice(2), slice(2, None)):
        gap, normal = least(distances[group], normals[group])
        ball = _bounced(ball, normal, gap - RADIUS)
    return ball.replace(velocity=ball.velocity - _FALL)


def _bounced(ball: Rigid, normal: jax.Array, gap: jax.Array) -> Rigid:
    """Applies an impulse, with restitution and Coulomb friction, of a surface at `gap` `[]` uu, if it is touched."""
    approach = -along(ball.velocity, normal)
    touching = (gap <= 0) & (approach > 0)
    normal_push = (1 + jnp.where(approach < _SLOW, 0, _RESTITUTION)) * approach
    slip = ball.velocity + approach * normal - RADIUS * jnp.cross(ball.spin, normal)
    speed = jnp.linalg.norm(slip + 1e-9)
    # A solid sphere stops slipping at 2/7 of the impulse that would stop its centre.
    grip = -slip * jnp.minimum(2 / 7, _FRICTION * normal_push / jnp.maximum(speed, 1e-6))
    turn = jnp.cross(-RADIUS * normal, grip) / (0.4 * RADIUS**2)
    bounced = ball.accelerated(normal_push * normal + grip, turn)
    return jax.tree.map(lambda new, old: jnp.where(touching, new, old), bounced, ball)
