"""Scenes: a match as one car sees it, turned so that its team attacks towards +y; and observations, by groups."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mjx_arena.tasks.car_soccer import ball, boost, car, field
from mjx_arena.tasks.car_soccer.aerial import DOUBLE_JUMP_WITHIN
from mjx_arena.tasks.car_soccer.car import CarState
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.vectors import to_body
from mjx_arena.tasks.car_soccer.world import World

_LENGTH = np.array([field.HALF_WIDTH, field.HALF_LENGTH, field.HEIGHT])
# Units of observations: of distances in uu, of the nearness of the ball in uu, of the timers of pads in s.
FAR, NEAR, LONGEST_PAUSE = 6000.0, 500.0, 10.0
GAME = 300.0  # s of a whole game
NEAREST = 3  # pads nearest to the car, and as many to the ball, that are observed


class Scene(struct.PyTreeNode):
    """A match as one car sees it; T is the size of a team."""

    ball: Rigid
    body: Rigid
    state: CarState
    allies: tuple[Rigid, CarState]  # leaves [T - 1, ...]
    opponents: tuple[Rigid, CarState]  # leaves [T, ...]
    pads: jax.Array  # [34, 2] uu
    timers: jax.Array  # [34] s until pads give again
    held: jax.Array  # [8] controls of the last control step
    left: jax.Array  # [] share of five minutes that is left


def scenes(the_ball: Rigid, bodies: Rigid, world: World, held: jax.Array, left: jax.Array) -> Scene:
    """Returns the scenes of all cars, with leaves `[A, ...]`. `held` `[A, 8]` are their last controls."""
    num = held.shape[0]
    team = num // 2

    def one(index):
        sign = jnp.where(index < team, 1.0, -1.0)
        base = jnp.where(index < team, 0, team)
        mates = base + (index - base + jnp.arange(1, team)) % team
        others = (team - base) + (index - base + jnp.arange(team)) % team
        seen, take = jax.vmap(lambda body: _turned(body, sign)), lambda rows: _rows((bodies, world.cars), rows)
        allies, opponents = take(mates), take(others)
        return Scene(
            ball=_turned(the_ball, sign),
            body=_turned(_rows(bodies, index), sign),
            state=_rows(world.cars, index),
            allies=(seen(allies[0]), allies[1]),
            opponents=(seen(opponents[0]), opponents[1]),
            pads=sign * boost.PADS,
            timers=world.pads,
            held=held[index],
            left=left,
        )

    return jax.vmap(one)(jnp.arange(num))


def _rows(tree, rows):
    return jax.tree.map(lambda x: x[rows], tree)


def _turned(body: Rigid, sign: jax.Array) -> Rigid:
    """Turns a body by half a turn about the vertical if `sign` is -1."""
    turn = jnp.stack([sign, sign, jnp.ones(())])
    return Rigid(body.position * turn, body.rotation * turn[:, None], body.velocity * turn, body.spin * turn)


def _ball(scene: Scene) -> jax.Array:
    the_ball = scene.ball
    return jnp.concatenate(
        [the_ball.position / _LENGTH, the_ball.velocity / ball.MAX_SPEED, the_ball.spin / ball.MAX_SPIN]
    )


def _self(scene: Scene) -> jax.Array:
    body = scene.body
    return jnp.concatenate(
        [
            body.position / _LENGTH,
            body.forward,
            body.up,
            body.velocity / car.MAX_SPEED,
            to_body(body.rotation, body.spin) / car.MAX_SPIN,
            scene.state.boost[None] / boost.FULL,
        ]
    )


def _context(scene: Scene) -> jax.Array:
    """Returns the ball as seen from the car, and the time left `[9]`."""
    offset = scene.ball.position - scene.body.position
    drift = scene.ball.velocity - scene.body.velocity
    distance = jnp.linalg.norm(offset + 1e-6)
    return jnp.concatenate(
        [
            to_body(scene.body.rotation, offset) / FAR,
            to_body(scene.body.rotation, drift) / car.MAX_SPEED,
            jnp.stack([distance / FAR, jnp.exp(-distance / NEAR), scene.left]),
        ]
    )


def _previous(scene: Scene) -> jax.Array:
    return scene.held


def _masks(scene: Scene) -> jax.Array:
    """Returns flags `[5]`: on the wheels, may jump again, has dodged, on the hull, supersonic."""
    state = scene.state
    second = ~state.double_jumped & ~state.dodged & (state.air_time < DOUBLE_JUMP_WITHIN)
    flags = [state.on_ground, second, state.dodged, state.hull_touches, state.supersonic]
    return jnp.stack(flags).astype(jnp.float32)


def _others(scene: Scene, bodies: Rigid, states: CarState) -> jax.Array:
    offset = to_body(scene.body.rotation, bodies.position - scene.body.position) / FAR
    drift = to_body(scene.body.rotation, bodies.velocity - scene.body.velocity) / car.MAX_SPEED
    ahead = to_body(scene.body.rotation, bodies.rotation[:, :, 0])
    flags = jnp.stack([states.boost / boost.FULL, states.on_ground, states.respawn > 0], -1)
    there = (states.respawn == 0)[:, None]
    parts = [jnp.where(there, offset, 0), jnp.where(there, drift, 0), jnp.where(there, ahead, 0), flags]
    return jnp.concatenate(parts, -1).reshape(-1)


def _allies(scene: Scene) -> jax.Array:
    return _others(scene, *scene.allies)


def _opponents(scene: Scene) -> jax.Array:
    return _others(scene, *scene.opponents)


def _pads(scene: Scene) -> jax.Array:
    """Returns places, timers and sizes of the 3 pads nearest to the car and to the ball `[24]`."""

    def nearest(place):
        distance = jnp.linalg.norm(scene.pads - place[:2], axis=-1)
        # Of pads at equal distance, both teams list first the ones behind them and to their left.
        index = jax.lax.top_k(-distance - scene.pads @ np.array([1e-6, 2e-6], np.float32), NEAREST)[1]
        offset = scene.pads[index] - scene.body.position[:2]
        flat = to_body(scene.body.rotation, jnp.column_stack([offset, jnp.zeros(NEAREST)])) / FAR
        return jnp.column_stack([flat[:, :2], scene.timers[index] / LONGEST_PAUSE, jnp.asarray(boost.IS_BIG)[index]])

    return jnp.concatenate([nearest(scene.body.position), nearest(scene.ball.position)]).reshape(-1)


def _goals(scene: Scene) -> jax.Array:
    """Returns offsets of the other team's and the own goal from the car and from the ball `[12]`."""
    goals = jnp.array([[0, field.HALF_LENGTH, field.GOAL_HEIGHT / 2], [0, -field.HALF_LENGTH, field.GOAL_HEIGHT / 2]])
    from_car = to_body(scene.body.rotation, goals - scene.body.position)
    return jnp.concatenate([from_car, goals - scene.ball.position]).reshape(-1) / FAR


GROUPS: dict[str, Callable[[Scene], jax.Array]] = {
    "ball": _ball,
    "self": _self,
    "context": _context,
    "previous": _previous,
    "masks": _masks,
    "allies": _allies,
    "opponents": _opponents,
    "pads": _pads,
    "goals": _goals,
}


def observe(scene: Scene, groups: tuple[str, ...]) -> jax.Array:
    """Returns the observation `[O]` of one car."""
    return jnp.concatenate([GROUPS[name](scene) for name in groups])
