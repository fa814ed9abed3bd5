"""Reward terms of a car, without their weights: each is a pure function of a `Play`, and returns `[]`.

The formulas are those of RLGym and of the bot that this task follows, without three of the bot's faults: here a ball
that moves towards the own goal costs, a hit is paid once and not again on later bounces, and only a car that is upside
down counts as such.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct

from mjx_arena.tasks.car_soccer import ball, boost, car, field
from mjx_arena.tasks.car_soccer.scene import Scene
from mjx_arena.tasks.car_soccer.vectors import along

_REACH = 6000.0  # uu, range of `speed`, and scale of distances from the goal
_BACK = field.HALF_LENGTH + field.GOAL_DEPTH
_LANDED_WELL = 0.85  # vertical component of the up axis, above which a landing is good


class Play(struct.PyTreeNode):
    """A control step of one car."""

    before: Scene
    after: Scene
    touched: jax.Array  # [] bool: it hit the ball
    scored: jax.Array  # [] +1 its team scored, -1 the other one did
    since_jump: jax.Array  # [] control steps since its last jump began


def _to_ball(scene: Scene) -> tuple[jax.Array, jax.Array]:
    offset = scene.ball.position - scene.body.position
    distance = jnp.linalg.norm(offset + 1e-6)
    return offset / distance, distance


def touch(play: Play) -> jax.Array:
    """Returns 1 for a hit of the ball."""
    return play.touched * 1.0


def goal(play: Play) -> jax.Array:
    """Returns 1 for a goal of the car's team."""
    return (play.scored > 0) * 1.0


def concede(play: Play) -> jax.Array:
    """Returns -1 for a goal of the other team."""
    return (play.scored < 0) * -1.0


def speed(play: Play) -> jax.Array:
    """Returns the speed towards the ball / 2300 uu/s, at least 0; 0 from 6000 uu of distance on."""
    direction, distance = _to_ball(play.after)
    towards = jnp.maximum(along(play.after.body.velocity, direction), 0) / car.MAX_SPEED
    return jnp.where(distance < _REACH, towards, 0)


def face(play: Play) -> jax.Array:
    """Returns the cosine of the angle between the car's nose and the direction of the ball."""
    return along(play.after.body.forward, _to_ball(play.after)[0])


def air(play: Play) -> jax.Array:
    """Returns 1 in the air."""
    return ~play.after.state.on_ground * 1.0


def hit(play: Play) -> jax.Array:
    """Returns, for a hit, the root of the change of the ball's velocity / 100 uu/s, at most 1."""
    change = jnp.linalg.norm(play.after.ball.velocity - play.before.ball.velocity + 1e-6)
    return play.touched * jnp.sqrt(jnp.clip(change / 100, 0, 1))


def ball_to_goal(play: Play) -> jax.Array:
    """Returns the ball's speed towards the back of the other team's goal / 6000 uu/s."""
    return _ball_towards(play.after, _BACK)


def shot(play: Play) -> jax.Array:
    """Returns `ball_to_goal` for a hit, otherwise 0."""
    return play.touched * _ball_towards(play.after, _BACK)


def own_goal(play: Play) -> jax.Array:
    """Returns minus the ball's speed towards the back of the own goal / 6000 uu/s, at most 0."""
    return -jnp.maximum(_ball_towards(play.after, -_BACK), 0)


def _ball_towards(scene: Scene, y: float) -> jax.Array:
    offset = jnp.array([0, y, field.GOAL_HEIGHT / 2]) - scene.ball.position
    return along(scene.ball.velocity, offset / jnp.linalg.norm(offset + 1e-6)) / ball.MAX_SPEED


def near_goal(play: Play) -> jax.Array:
    """Returns exp(-0.5 d / 6000), as Liu et al. (arXiv:2105.12196) have it.

    d is the ball's distance from the back of the other team's goal minus the goal's depth, uu, at least 0.
    """
    distance = jnp.linalg.norm(jnp.array([0, _BACK, field.GOAL_HEIGHT / 2]) - play.after.ball.position)
    return jnp.exp(-0.5 * jnp.maximum(distance - field.GOAL_DEPTH, 0) / _REACH)


def near_ball(play: Play) -> jax.Array:
    """Returns exp(-0.5 d / 2300), where d is the car's distance from the ball's surface, uu."""
    return jnp.exp(-0.5 * jnp.maximum(_to_ball(play.after)[1] - ball.RADIUS, 0) / car.MAX_SPEED)


def jump_shot(play: Play) -> jax.Array:
    """Returns the car's height / 2044 uu for a hit in the air, at most 90 control steps after a jump."""
    counts = play.touched & ~play.after.state.on_ground & (play.since_jump <= 90)
    return counts * play.after.body.position[2] / 2044


def aerial(play: Play) -> jax.Array:
    """Returns the ball's height / 2044 uu for a hit in the air."""
    return (play.touched & ~play.after.state.on_ground) * play.after.ball.position[2] / 2044


def recovery(play: Play) -> jax.Array:
    """Scores how upright a car is, by the z of its up axis, u: in the air 0.3 u + 0.2 of its rise, if it rises.

    On landing it is 1 + 0.2 u if u is above 0.85, and otherwise -0.5 (1 - u).
    """
    upright, gained = play.after.body.up[2], play.after.body.up[2] - play.before.body.up[2]
    flying = 0.3 * upright + 0.2 * jnp.maximum(gained, 0)
    landing = jnp.where(upright > _LANDED_WELL, 1 + 0.2 * upright, -0.5 * (1 - upright))
    landed = play.after.state.on_ground & ~play.before.state.on_ground
    return jnp.where(play.after.state.on_ground, jnp.where(landed, landing, 0), flying)


def bad_orientation(play: Play) -> jax.Array:
    """Returns -0.3 for a car that touches ground upside down, -0.1 if it leans by more than 41 degrees."""
    up, low = play.after.body.up[2], play.after.state.on_ground | play.after.state.hull_touches
    return jnp.where(low, jnp.where(up < 0, -0.3, jnp.where(up < 0.75, -0.1, 0)), 0)


def save_boost(play: Play) -> jax.Array:
    """Returns the root of the boost that is left, as a share of the full one."""
    return jnp.sqrt(jnp.clip(play.after.state.boost / boost.FULL, 0, 1))


def collect_boost(play: Play) -> jax.Array:
    """Returns 1 for a small pad, 0.3 for a big one."""
    gained = play.after.state.boost - play.before.state.boost
    return jnp.where(gained > 12.5, 0.3, jnp.where(gained > 0, 1.0, 0))


TERMS: dict[str, Callable[[Play], jax.Array]] = {
    function.__name__: function
    for function in (
        touch,
        goal,
        concede,
        speed,
        face,
        air,
        hit,
        ball_to_goal,
        shot,
        own_goal,
        near_goal,
        near_ball,
        jump_shot,
        aerial,
        recovery,
        bad_orientation,
        save_boost,
        collect_boost,
    )
}
