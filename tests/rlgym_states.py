"""States of car soccer as RLGym's `GameState` has them, for tests that run without RLGym; its engine takes them too."""

from types import SimpleNamespace

import jax
import numpy as np

from mjx_arena.tasks.car_soccer import boost, rlgym
from mjx_arena.tasks.car_soccer.arena import CarSoccerSettings

HALF_TURN = np.array([-1, -1, 1], np.float32)


class Body(SimpleNamespace):
    """RLGym's `PhysicsObject`: position, linear_velocity, angular_velocity `[3]`, rotation_mtx `[3, 3]`."""

    forward = property(lambda self: self.rotation_mtx[:, 0])
    up = property(lambda self: self.rotation_mtx[:, 2])

    def inverted(self):
        vectors = {name: value * HALF_TURN for name, value in vars(self).items() if name != "rotation_mtx"}
        return Body(**vectors, rotation_mtx=self.rotation_mtx * HALF_TURN[:, None])


class Car(SimpleNamespace):
    """RLGym's `Car`, with the rules of its properties."""

    is_blue = property(lambda self: self.team_num == 0)
    is_orange = property(lambda self: self.team_num == 1)
    on_ground = property(lambda self: sum(self.wheels_with_contact) >= 3)
    is_supersonic = property(lambda self: self.supersonic_time > 0)
    is_demoed = property(lambda self: self.demo_respawn_timer > 0)
    is_flipping = property(lambda self: self.has_flipped and self.flip_time < 0.65)
    inverted_physics = property(lambda self: self.physics.inverted())

    @property
    def has_flip(self):
        return not self.has_double_jumped and not self.has_flipped and self.air_time_since_jump < 1.25


class State(SimpleNamespace):
    """RLGym's `GameState`."""

    inverted_ball = property(lambda self: self.ball.inverted())


def body(rigid):
    """One `Rigid` of the game."""
    vectors = {"position": rigid.position, "linear_velocity": rigid.velocity, "angular_velocity": rigid.spin}
    return Body(**{name: np.asarray(value) for name, value in (vectors | {"rotation_mtx": rigid.rotation}).items()})


def car(rigid, state, team):
    """One car of the game: its `Rigid` and its `CarState`."""
    return Car(
        team_num=team,
        hitbox_type=0,
        physics=body(rigid),
        boost_amount=float(state.boost),
        boost_active_time=float(state.boosting),
        handbrake=float(state.handbrake),
        wheels_with_contact=(bool(state.on_ground),) * 4,
        supersonic_time=float(state.supersonic),
        demo_respawn_timer=float(state.respawn),
        is_jumping=bool(state.jumping),
        has_jumped=bool(state.jumped),
        is_holding_jump=bool(state.held_jump),
        jump_time=float(state.jump_time),
        has_flipped=bool(state.dodged),
        has_double_jumped=bool(state.double_jumped),
        air_time_since_jump=float(state.air_time),
        flip_time=float(state.dodge_time),
        flip_torque=np.array([*state.dodge_turn, 0]),
        is_autoflipping=bool(state.flip_left > 0),
        autoflip_timer=float(state.flip_left),
        autoflip_direction=float(state.flip_side),
        bump_victim_id=None,
    )


def state(the_ball, cars, world, agents, tick):
    """A match: the ball, cars with leaves `[A, ...]`, of which the first half is blue, and a `World`."""

    def of(row):
        return car(*jax.tree.map(lambda x: x[row], (cars, world.cars)), team=row >= len(agents) // 2)

    return State(
        tick_count=tick,
        goal_scored=False,
        config=SimpleNamespace(gravity=1, boost_consumption=1, dodge_deadzone=0.5),
        ball=body(the_ball),
        cars={agent: of(row) for row, agent in enumerate(agents)},
        boost_pad_timers=in_their_order(np.asarray(world.pads)),
    )


def in_their_order(timers):
    """Timers of the game's pads in RLGym's order."""
    place = {tuple(pad): index for index, pad in enumerate(boost.PADS.tolist())}
    pads = rlgym.interface(CarSoccerSettings())["pads"]
    return timers[[place[float(x), float(y)] for x, y, _ in pads]]
