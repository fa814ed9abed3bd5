"""Motions of a car that does not drive: jumps, dodges, air control, and turning over from its roof."""

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.tasks.car_soccer.car import MAX_SPEED, CarState, Controls, Wheels
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.units import TICK
from mjx_arena.tasks.car_soccer.vectors import along, to_body, to_world

JUMP = 875 / 3  # uu/s at once, in a jump and in a double jump
DOUBLE_JUMP_WITHIN = 1.25  # s after the first jump has stopped pushing
_HELD, _HELD_EARLY = 4375 / 3, 0.62 * 4375 / 3  # uu/s^2 while the jump pushes
_SHORTEST, _LONGEST, _GRACE = 0.025, 0.2, 0.025  # s that a jump pushes; s more before ground contact ends it
_DODGE = 500.0  # uu/s at once
_DODGE_TURN = np.array([260.0, 224.0])  # rad/s^2 about the car's x and y axes
_DODGE_TURNS, _PITCH_LOCKED = 0.65, 1.0  # s
_SINKS_FROM, _SINKS_TO, _SINKS = 0.15, 0.21, 0.65  # s between which a dodge multiplies vertical speed, by this a tick
_DEADZONE = 0.5
_TORQUE, _DAMPING = np.array([130.0, 95, 400]), np.array([30.0, 20, 50])  # about pitch, yaw and roll
_TORQUE_SCALE = 0.095874
_THROTTLE = 66.7  # uu/s^2
_FLIP_PUSH, _FLIP_TURN, _FLIP_TIME = 200.0, 50.0, 0.4  # uu/s away from the roof; rad/s^2; s for half a turn
_ROLL_PUSH, _ROLL_TURN = 100.0, 80.0  # uu/s^2 to the ground; rad/s^2


def control(body: Rigid, state: CarState, controls: Controls) -> Rigid:
    """Turns a car in the air, by a dodge's torque or by control with damping, and applies the throttle."""
    dodging = state.dodged & (state.dodge_time < _DODGE_TURNS)
    stalled = (state.dodge_turn == 0).all()
    # Pitch against a dodge cancels its forward part and regains control.
    cancels = (state.dodge_turn[1] * controls.pitch > 0) & ~stalled
    turn = state.dodge_turn * jnp.stack([jnp.float32(1), 1.0 - cancels]) * _DODGE_TURN
    dodge = body.forward * turn[0] + body.right * turn[1]

    locked = state.dodged & (state.dodge_time < _PITCH_LOCKED)
    inputs = jnp.stack([jnp.where(locked, 0, controls.pitch), controls.yaw, controls.roll])
    axes = jnp.stack([-body.right, body.up, -body.forward], 1)
    damped = _DAMPING * (1 - jnp.abs(inputs) * jnp.array([1, 1, 0])) * to_body(axes, body.spin)
    controlled = _TORQUE_SCALE * to_world(axes, _TORQUE * inputs - damped)
    free = (~dodging | stalled | cancels) & (state.flip_left <= 0)
    spin = jnp.where(dodging, dodge, 0) + jnp.where(free, controlled, 0)
    return body.accelerated(TICK * _THROTTLE * controls.throttle * body.forward, TICK * spin)


def jump(body: Rigid, state: CarState, controls: Controls, pressed: jax.Array) -> tuple[Rigid, CarState]:
    """Applies the first jump, which pushes longer while the key is held."""
    soon = state.jumped & (state.jump_time < _SHORTEST + _GRACE)
    jumped = state.jumped & (~state.on_ground | state.jumping | soon)
    goes_on = (state.jump_time < _SHORTEST) | (controls.jump & (state.jump_time < _LONGEST))
    begins = ~state.jumping & state.on_ground & pressed
    jumping = (state.jumping & goes_on) | begins
    time = jnp.where(begins, 0, state.jump_time)
    push = jnp.where(begins, JUMP, 0) + TICK * jnp.where(jumping, jnp.where(time < _SHORTEST, _HELD_EARLY, _HELD), 0)
    state = state.replace(jumping=jumping, jumped=jumped | jumping, jump_time=time + TICK * jumping)
    return body.accelerated(push * body.up), state


def second_jump(body: Rigid, state: CarState, controls: Controls, pressed: jax.Array) -> tuple[Rigid, CarState]:
    """Applies the second jump: a dodge if a direction is held, otherwise a double jump."""
    counts = ~state.on_ground & state.jumped & ~state.jumping
    air_time = jnp.where(counts, state.air_time + TICK, 0)
    double_jumped, dodged = state.double_jumped & ~state.on_ground, state.dodged & ~state.on_ground
    may = ~state.on_ground & (air_time < DOUBLE_JUMP_WITHIN) & ~double_jumped & ~dodged & (state.flip_left <= 0)
    sideways = controls.yaw + controls.roll
    direct = jnp.max(jnp.abs(jnp.stack([controls.yaw, controls.pitch, controls.roll]))) >= _DEADZONE
    dodges, doubles = pressed & may & direct, pressed & may & ~direct

    aim = jnp.stack([-controls.pitch, sideways])
    aim = jnp.where((jnp.abs(aim) < 0.1).all(), 0, aim / jnp.maximum(jnp.linalg.norm(aim + 1e-9), 1e-6))
    turn = jnp.stack([-aim[1], aim[0]])
    body = body.accelerated(
        jnp.where(doubles, JUMP, 0) * body.up + jnp.where(dodges, 1.0, 0) * _dodge_velocity(body, aim)
    )
    state = state.replace(
        air_time=air_time,
        double_jumped=double_jumped | doubles,
        dodged=dodged | dodges,
        dodge_turn=jnp.where(dodges, turn, state.dodge_turn),
        dodge_time=jnp.where(dodges, 0, state.dodge_time) + TICK * (dodged | dodges),
    )
    time, falls = state.dodge_time, body.velocity[2] < 0
    sinks = state.dodged & (time <= _DODGE_TURNS) & (time >= _SINKS_FROM) & (falls | (time < _SINKS_TO))
    return body.replace(velocity=body.velocity.at[2].multiply(jnp.where(sinks, _SINKS, 1))), state


def _dodge_velocity(body: Rigid, aim: jax.Array) -> jax.Array:
    """Returns the change of velocity `[3]` uu/s by a dodge along `aim` `[2]`: ahead and to the right."""
    aim = jnp.where(jnp.abs(aim) < 0.1, 0, aim)
    speed = body.forward_speed
    ratio = jnp.abs(speed) / MAX_SPEED
    backwards = jnp.where(jnp.abs(speed) < 100, aim[0] < 0, (aim[0] >= 0) != (speed >= 0))
    ahead = aim[0] * _DODGE * jnp.where(backwards, 16 / 15 * (1 + 1.5 * ratio), 1)
    aside = aim[1] * _DODGE * (1 + 0.9 * ratio)
    heading = body.forward[:2] / jnp.maximum(jnp.linalg.norm(body.forward[:2] + 1e-9), 1e-6)
    cos, sin = heading
    return jnp.stack([ahead * cos - aside * sin, ahead * sin + aside * cos, jnp.zeros(())])


def flip_over(body: Rigid, state: CarState, pressed: jax.Array) -> tuple[Rigid, CarState]:
    """Turns a car over onto its wheels, if jump is pressed while its hull lies on the ground."""
    begins = pressed & state.hull_touches & (state.hull_normal[2] > jnp.sqrt(0.5))
    roll = jnp.arctan2(-body.right[2], body.up[2])
    left = jnp.where(begins, _FLIP_TIME * jnp.abs(roll) / jnp.pi, state.flip_left)
    side = jnp.where(begins, jnp.where(roll > 0, 1.0, -1.0), state.flip_side)
    turns = left > 0
    spin = jnp.where(turns, _FLIP_TURN * side * TICK, 0) * body.forward
    body = body.accelerated(-jnp.where(begins, _FLIP_PUSH, 0) * body.up, spin)
    return body, state.replace(flip_left=jnp.maximum(left - TICK * turns, 0), flip_side=side)


def roll_over(body: Rigid, state: CarState, controls: Controls, wheels: Wheels) -> Rigid:
    """Turns a car with throttle upright, if only the hull or one to three wheels touch."""
    some = (wheels.count > 0) & (wheels.count < 4)
    acts = (controls.throttle != 0) & (some | state.hull_touches)
    ground = jnp.where(wheels.count > 0, wheels.up, state.hull_normal)
    level_right = jnp.cross(ground, body.forward)
    level_forward = jnp.cross(-ground, level_right)
    about_forward = jnp.where(along(body.right, ground) >= 0, -1, 1) * body.forward
    about_right = jnp.where(along(body.forward, ground) >= 0, 1, -1) * body.right
    spin = about_forward * (1 - jnp.clip(along(body.right, level_right), 0, 1))
    spin += about_right * (1 - jnp.clip(along(body.forward, level_forward), 0, 1))
    strength = jnp.where(acts, TICK, 0)
    return body.accelerated(-strength * _ROLL_PUSH * ground, strength * _ROLL_TURN * spin)
