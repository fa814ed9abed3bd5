"""A match in the mirror that exchanges the field's +x and -x, and so the right and the left of a car."""

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.symmetry import Reflection, Symmetry, by_names, kept, reflected_physics, seated
from mjx_arena.tasks.car_soccer import actions, boost, world
from mjx_arena.tasks.car_soccer.names import observation_names
from mjx_arena.types import ArenaState

# A free joint, whose body is symmetrical between its own +y and -y. Spin, in its own coordinates, is an axial vector.
_POSITION = Reflection((0, 1, 2, 6, 5, 4, 3), (-1.0, 1.0, 1.0, 1.0, -1.0, -1.0, 1.0))
_VELOCITY = Reflection(tuple(range(6)), (-1.0, 1.0, 1.0, -1.0, 1.0, -1.0))
_TURNS = ("steer", "yaw", "roll")  # controls to a side
_PADS = np.array([np.flatnonzero((place * [-1, 1] == boost.PADS).all(1))[0] for place in boost.PADS])
_AT_REST = 1.0  # uu from where a ball waits for a kick-off


def symmetry(groups: tuple[str, ...], team_size: int, frames: int, table: bool) -> Symmetry:
    """Builds the symmetry for settings of the game."""
    names, num = observation_names(groups, team_size), 2 * team_size
    observation, controls = by_names(names, _is_odd), by_names(actions.NAMES, lambda name: name in _TURNS)
    position, velocity = (seated(each, range(1 + num)) for each in (_POSITION, _VELOCITY))

    def state(state: ArenaState) -> ArenaState:
        memory = state.memory
        cars = memory.world.cars
        cars = cars.replace(
            steering=-cars.steering,
            hull_normal=cars.hull_normal * jnp.array([-1, 1, 1]),
            dodge_turn=cars.dodge_turn * jnp.array([-1, 1]),
            flip_side=-cars.flip_side,
        )
        memory = memory.replace(
            world=memory.world.replace(cars=cars, pads=memory.world.pads[_PADS]),
            held=controls(memory.held),
            frames=observation(memory.frames),
        )
        return state.replace(physics=reflected_physics(state.physics, position, velocity), memory=memory)

    def is_tied(state: ArenaState) -> jax.Array:
        """Before a kick-off pads lie as near to the right as to the left; which is observed first is arbitrary."""
        the_ball, cars = world.bodies(state.physics, num)
        waits = jnp.abs(the_ball.position[:2]).max() < _AT_REST
        return waits | (jnp.abs(cars.position[:, 0]) < _AT_REST).any()

    return Symmetry(
        observation=seated(observation, range(frames)),
        action=_choices(controls) if table else controls,
        state=state,
        seats=tuple(range(num)),
        is_tied=is_tied,
    )


def _choices(controls: Reflection) -> Reflection:
    """Returns the reflection of the table's rows."""
    images = np.asarray(controls(jnp.asarray(actions.TABLE)))
    rows = (images[:, None] == actions.TABLE).all(-1).argmax(1)
    return kept(actions.NUM_ROWS)._replace(source=tuple(rows.tolist()))


def _is_odd(name: str) -> bool:
    group, _, part = name.partition(": ")
    if "spin" in part:
        return part.endswith((" y", " z") if group == "ball" else (" ahead", " up"))
    return part in _TURNS or part.endswith((" x", "right"))
