"""Effects of a car on the ball and on other cars in addition to the collision: extra speed, bumps, demolition."""

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.tasks.car_soccer import ball
from mjx_arena.tasks.car_soccer.car import HULL, SIZE, CarState
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.vectors import along, curve, to_body

RESPAWN = 3.0  # s after a demolition
_FASTEST = 4600.0  # uu/s, the highest relative speed that counts
_UPWARDS, _FORWARDS = 0.35, 0.65  # shares of the push's direction that are kept
_FACTOR = (np.array([500, 2300, 4600.0]), np.array([0.65, 0.55, 0.3]))
_BUMPER = 64.5  # uu ahead of the car's centre, beyond which a contact counts as the bumper's
_PAUSE = 30  # ticks between two bumps
_SUPERSONIC, _STAYS_SUPERSONIC = 2200.0, 2100.0  # uu/s
_BUMP_SPEEDS = np.array([0, 1400, 2200.0])
_BUMP_GROUND, _BUMP_AIR = np.array([5 / 6, 1100, 1530]), np.array([5 / 6, 1390, 1945])
_BUMP_UP = np.array([1 / 3, 278, 417])


def touches_ball(car: Rigid, the_ball: Rigid) -> jax.Array:
    """Returns whether hull and ball overlap, `[]` bool, so that the engine pushes them apart in its next step."""
    local = to_body(car.rotation, the_ball.position - car.position) - jnp.asarray(HULL, jnp.float32)
    outside = jnp.maximum(jnp.abs(local) - jnp.asarray(SIZE / 2, jnp.float32), 0)
    return jnp.linalg.norm(outside + 1e-9) < ball.RADIUS


def extra_push(car: Rigid, the_ball: Rigid) -> jax.Array:
    """Returns the extra change of the ball's velocity `[3]` uu/s by a hit."""
    speed = jnp.minimum(jnp.linalg.norm(the_ball.velocity - car.velocity + 1e-6), _FASTEST)
    direction = _unit((the_ball.position - car.position) * jnp.array([1, 1, _UPWARDS]))
    direction -= (1 - _FORWARDS) * along(direction, car.forward) * car.forward
    return _unit(direction) * speed * curve(speed, *_FACTOR)


def is_supersonic(car: Rigid, before: jax.Array) -> jax.Array:
    """Returns whether a car is supersonic, `[]` bool, which depends on whether it was so `before`."""
    speed = jnp.linalg.norm(car.velocity + 1e-9)
    return speed >= jnp.where(before, _STAYS_SUPERSONIC, _SUPERSONIC)


def bump(car: Rigid, state: CarState, other: Rigid, other_on_ground: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns whether `car`, the faster one, bumps `other` with its bumper, `[]` bool, and the push `[3]` uu/s."""
    apart = other.position - car.position
    towards, heading = along(car.velocity, _unit(apart)), _unit(car.velocity + 1e-6)
    local = to_body(car.rotation, other.position - car.position)
    reach = jnp.asarray(SIZE, jnp.float32) + 4.0
    near = (jnp.abs(local) < reach).all() & (local[0] > _BUMPER)
    hits = near & (towards > jnp.maximum(along(other.velocity, heading), 0)) & (state.since_bump > _PAUSE)
    ahead = jnp.where(
        other_on_ground, curve(towards, _BUMP_SPEEDS, _BUMP_GROUND), curve(towards, _BUMP_SPEEDS, _BUMP_AIR)
    )
    up = jnp.where(other_on_ground, other.up, jnp.array([0, 0, 1.0]))
    return hits, heading * ahead + up * curve(towards, _BUMP_SPEEDS, _BUMP_UP)


def _unit(vector: jax.Array) -> jax.Array:
    return vector / jnp.maximum(jnp.linalg.norm(vector + 1e-9), 1e-6)
