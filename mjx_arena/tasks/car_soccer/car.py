"""A car (the Octane): its state in addition to its body's, its controls, and how it drives on four wheels."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mjx_arena.tasks.car_soccer import field
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.units import GRAVITY, TICK
from mjx_arena.tasks.car_soccer.vectors import Parts, cross, curve, dot, parts, plus, times, to_world

MASS = 180.0
SIZE = np.array([120.507, 86.6994, 38.6591])  # uu, of the hull
HULL = np.array([13.8757, 0.0, 20.755])  # uu, centre of the hull from the centre of mass
INERTIA = MASS / 12 * ((SIZE**2).sum() - SIZE**2)  # kg uu^2, of the hull's box about its centre
REST_HEIGHT = 17.0
MAX_SPEED, MAX_SPIN = 2300.0, 5.5

# Wheels: front with y < 0, front with y > 0, then back in the same order.
_AXLES = np.array([[51.25, -25.9, 20.755], [51.25, 25.9, 20.755], [-33.75, -29.5, 20.755], [-33.75, 29.5, 20.755]])
_FRONT = np.array([1.0, 1.0, 0.0, 0.0])
_RADIUS = np.array([12.5, 12.5, 15.0, 15.0])
_TRAVEL, _SHORTER = 12.0, 2.5  # uu, in either direction; uu by which rays are shorter than wheels reach
_REST = np.array([38.755, 38.755, 37.055, 37.055]) - _TRAVEL
_STIFFNESS, _COMPRESSION, _RELAXATION = 500.0, 25.0, 40.0
_SCALE = np.array([35.75, 35.75, 54.265, 54.265])
_ERROR_REDUCTION = 0.2  # share of the excess depth of a wheel that is undone in a tick

_THROTTLE = 400.0  # uu/s^2 of each wheel
_BRAKE, _BRAKE_SLOPE = 3500 / 4 * TICK, 113.73963 / 3 * TICK  # uu/s a tick of each wheel, and per uu/s of its speed
_COASTING, _STOPPING = 0.15, 25.0  # share of the brake without throttle; uu/s below which it is the full brake
_SIDEWAYS = 0.2 / 3 * MASS * TICK  # share of the impulse that would stop a wheel sideways, in a tick
_HANDBRAKE_RISE, _HANDBRAKE_FALL = 5.0, 2.0  # 1/s


class Controls(struct.PyTreeNode):
    """The controls of a car. Positive is ahead, nose up and to the right."""

    throttle: jax.Array  # [] in [-1, 1]
    steer: jax.Array  # [] in [-1, 1]
    pitch: jax.Array  # [] in [-1, 1]
    yaw: jax.Array  # [] in [-1, 1]
    roll: jax.Array  # [] in [-1, 1]
    jump: jax.Array  # [] bool
    boost: jax.Array  # [] bool
    handbrake: jax.Array  # [] bool

    @classmethod
    def none(cls) -> "Controls":
        """Returns controls at rest."""
        axis, button = jnp.float32(0), jnp.bool_(False)
        return cls(axis, axis, axis, axis, axis, button, button, button)


class CarState(struct.PyTreeNode):
    """The state of a car in addition to its body's."""

    boost: jax.Array  # [] of 100
    boosting: jax.Array  # [] s since it began to boost; 0 while it does not
    handbrake: jax.Array  # [] in [0, 1]: how far it is pulled
    engine: jax.Array  # [] uu/s^2 of each wheel, decided a tick before it acts
    brake: jax.Array  # [] share of the full brake, decided a tick before it acts
    steering: jax.Array  # [] rad of the front wheels, decided a tick before it acts
    on_ground: jax.Array  # [] bool: three wheels touch
    hull_touches: jax.Array  # [] bool: the hull touches the field
    hull_normal: jax.Array  # [3] normal of the surface nearest to the hull
    held_jump: jax.Array  # [] bool: jump was held in the tick before
    jumping: jax.Array  # [] bool: the jump still pushes
    jumped: jax.Array  # [] bool: has jumped since it was on the ground
    double_jumped: jax.Array  # [] bool: has jumped twice since then
    dodged: jax.Array  # [] bool: has dodged since then
    jump_time: jax.Array  # [] s since the jump began
    air_time: jax.Array  # [] s since the jump stopped pushing
    dodge_time: jax.Array  # [] s since the dodge began
    dodge_turn: jax.Array  # [2] direction of the dodge's torque: about the car's x and y axes
    flip_left: jax.Array  # [] s that it still turns over onto its wheels
    flip_side: jax.Array  # [] +1 or -1: which way round
    supersonic: jax.Array  # [] bool
    since_hit: jax.Array  # [] ticks since it last gave the ball an extra push, as far as 1000
    since_bump: jax.Array  # [] ticks since it last bumped another car, as far as 1000
    respawn: jax.Array  # [] s until it comes back; 0 where it has not been demolished


def fresh(boost: jax.Array | float) -> CarState:
    """Returns the state of a car that stands on its wheels."""
    zero, no, long = jnp.float32(0), jnp.bool_(False), jnp.int32(1000)
    return CarState(
        boost=jnp.asarray(boost, jnp.float32),
        boosting=zero,
        handbrake=zero,
        engine=zero,
        brake=zero,
        steering=zero,
        on_ground=jnp.bool_(True),
        hull_touches=no,
        hull_normal=jnp.array([0, 0, 1.0]),
        held_jump=no,
        jumping=no,
        jumped=no,
        double_jumped=no,
        dodged=no,
        jump_time=zero,
        air_time=zero,
        dodge_time=zero,
        dodge_turn=jnp.zeros(2),
        flip_left=zero,
        flip_side=jnp.float32(1),
        supersonic=no,
        since_hit=long,
        since_bump=long,
        respawn=zero,
    )


class Wheels(struct.PyTreeNode):
    """The contacts of four wheels with the field."""

    touching: jax.Array  # [4] bool
    point: Parts  # [4] each, uu, of contact, from the car's centre
    hub: Parts  # [4] each, uu, top of the suspension, from the car's centre
    normal: Parts  # [4] each, of the surface
    depth: jax.Array  # [4] uu from the hub to the contact

    @property
    def count(self) -> jax.Array:
        """Returns the number of wheels that touch `[]`."""
        return self.touching.sum()

    @property
    def up(self) -> jax.Array:
        """Returns the mean normal `[3]` of the surfaces that wheels touch."""
        total = jnp.stack([(part * self.touching).sum() for part in self.normal])
        return total / jnp.maximum(jnp.linalg.norm(total + 1e-12), 1e-6)


def find_wheels(body: Rigid) -> Wheels:
    """Finds the contacts of wheels, along rays from the hubs downwards."""
    hub = to_world(body.rotation, jnp.asarray(_AXLES, jnp.float32))
    reach, normal = jax.vmap(lambda offset: field.cast(body.position + offset, -body.up))(hub)
    touching = (reach >= 0) & (reach < _REST + _TRAVEL + _RADIUS - _SHORTER)
    return Wheels(touching, parts(hub - reach[:, None] * body.up), parts(hub), parts(normal), reach)


def friction(body: Rigid, state: CarState, controls: Controls, wheels: Wheels) -> Parts:
    """Returns impulses, `[4]` each, along the ground: engine, brake, and against slipping sideways."""
    angle = state.steering * _FRONT
    axle = plus(times(jnp.cos(angle), parts(body.right)), times(-jnp.sin(angle), parts(body.forward)))
    axle = plus(axle, times(-dot(axle, wheels.normal), wheels.normal))
    axle = times(1 / jnp.maximum(jnp.sqrt(dot(axle, axle)), 1e-6), axle)
    ahead = cross(axle, wheels.normal)

    velocity, at_hub = body.moving(wheels.point), body.moving(wheels.hub)
    sideways, rolling = dot(velocity, axle), dot(velocity, ahead)
    slip, roll = jnp.abs(dot(at_hub, axle)), jnp.abs(dot(at_hub, ahead))
    slipping = jnp.where(slip > 5, slip / jnp.maximum(slip + roll, 1e-6), 0)
    lateral, longitudinal = 1 - 0.8 * slipping, 0.5 + 0.4 * slipping
    lateral *= 1 - 0.9 * state.handbrake
    longitudinal = jnp.where(state.handbrake > 0, 1 + (longitudinal - 1) * state.handbrake, 1)
    loose = curve(wheels.normal[2], *_LOOSE)
    grip = jnp.where(_throttle(state, controls) == 0, loose, 1)

    braking = -jnp.clip(_BRAKE_SLOPE * rolling, -_BRAKE * state.brake, _BRAKE * state.brake)
    drive = MASS * jnp.where(state.engine == 0, braking, state.engine * TICK)
    hold = -_SIDEWAYS * sideways / body.yields(wheels.point, axle, MASS, INERTIA)
    grip = jnp.where(wheels.touching, grip, 0)
    return plus(times(drive * longitudinal * grip, ahead), times(hold * lateral * grip, axle))


def suspension(body: Rigid, wheels: Wheels) -> Parts:
    """Returns impulses, `[4]` each, of springs and dampers, which never pull, and of wheels pushed in too far."""
    slant = jnp.maximum(dot(wheels.normal, parts(body.up)), 0.1)
    length = jnp.clip(wheels.depth - _RADIUS, _REST - _TRAVEL, _REST + _TRAVEL)
    leaving = dot(wheels.normal, body.moving(wheels.point))
    relative = leaving / slant
    damping = jnp.where(relative < 0, _COMPRESSION, _RELAXATION)
    force = jnp.maximum(((_REST - length) * _STIFFNESS / slant - damping * relative) * _SCALE, 0)

    yields = body.yields(wheels.point, wheels.normal, MASS, INERTIA)
    over = (_REST + _TRAVEL - _SHORTER) - wheels.depth
    push = jnp.maximum(_ERROR_REDUCTION * over / TICK - leaving, 0) / yields / 1.5 / 4
    total = jnp.where(force > 0, force * TICK + jnp.where(over > 0, push, 0), 0)
    return times(jnp.where(wheels.touching, total, 0), wheels.normal)


def drive(body: Rigid, state: CarState, controls: Controls, wheels: Wheels) -> tuple[Rigid, CarState]:
    """Sets engine, brake and steering for the next tick, and presses the car onto the ground in this one."""
    speed, throttle = body.forward_speed, _throttle(state, controls)
    pull = jnp.where(controls.handbrake, _HANDBRAKE_RISE, -_HANDBRAKE_FALL) * TICK
    handbrake = jnp.clip(state.handbrake + pull, 0, 1)

    torque = curve(speed, *_TORQUE)
    torque = torque / jnp.where(wheels.count < 3, 4, 1)
    turning_back = (jnp.abs(speed) > _STOPPING) & (jnp.sign(throttle) != jnp.sign(speed))
    coasting = throttle == 0
    stops = (coasting | turning_back) & ~controls.handbrake
    coast = jnp.where(jnp.abs(speed) < _STOPPING, 1, _COASTING)

    angle = curve(jnp.abs(speed), *_STEERING)
    angle += (curve(jnp.abs(speed), *_SLIDING) - angle) * handbrake
    state = state.replace(
        handbrake=handbrake,
        engine=jnp.where(stops, 0, throttle * _THROTTLE * torque),
        brake=jnp.where(stops, jnp.where(coasting, coast, 1), jnp.float32(0)),
        steering=angle * controls.steer,
    )
    sticks = (throttle != 0) | (jnp.abs(speed) > _STOPPING)
    share = jnp.where(wheels.count > 0, 0.5 + jnp.where(sticks, 1 - jnp.abs(wheels.up[2]), 0), 0)
    return body.accelerated(-share * GRAVITY * TICK * wheels.up), state


def _throttle(state: CarState, controls: Controls) -> jax.Array:
    """Returns the throttle `[]`, which is full while the car boosts."""
    return jnp.where(controls.boost & (state.boost > 0), 1.0, controls.throttle)


_STEERING = (
    np.array([0, 500, 1000, 1500, 1750, 3000.0]),
    np.array([0.53356, 0.3193, 0.18203, 0.1057, 0.08507, 0.03454]),
)
_TORQUE = (np.array([0, 1400, 1410.0]), np.array([1, 0.1, 0]))
_LOOSE = (np.array([0, 0.7075, 1]), np.array([0.1, 0.5, 1]))  # grip without throttle, by the z of the ground's normal
_SLIDING = (np.array([0, 2500.0]), np.array([0.39235, 0.1261]))
