"""The world of a match, and its tick: the closed-form part, a step of the engine, and what follows it."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from flax import struct

from mjx_arena.tasks.car_soccer import aerial, ball, boost, car, field, hits, hull, rigid, stadium
from mjx_arena.tasks.car_soccer.car import CarState, Controls
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.units import GRAVITY, METRE, TICK
from mjx_arena.tasks.car_soccer.vectors import dot, parts, plus, times, to_body
from mjx_arena.types import Physics, PhysicsState

_HIDDEN = -3000.0  # uu, height at which demolished cars wait
_COMES_BACK = np.array([[-2304, -4608, 36], [2304, -4608, 36], [-2688, -4608, 36], [2688, -4608, 36.0]])  # uu
_BALL_BIT, _HULL_BIT, _CAPSULE_BIT = 1, 2, 4


class World(struct.PyTreeNode):
    """The state that the engine does not hold, of A cars and P pads."""

    cars: CarState  # leaves [A, ...]
    pads: jax.Array  # [P] s until pads give again


class Events(struct.PyTreeNode):
    """The events of one tick."""

    touched: jax.Array  # [A] bool: hit the ball, and gave it the extra push
    demolished: jax.Array  # [A] bool
    scored: jax.Array  # [] +1 in the goal at +y, -1 at -y, else 0


def build(num_cars: int, drawn: bool = False, iterations: int = 4) -> mujoco.MjSpec:
    """Builds a model of ball and cars as free bodies, which touch each other and nothing else.

    `drawn` adds the stadium and coachwork for pictures only, which would cost the engine time in every step.
    """
    spec = mujoco.MjSpec()
    spec.option.timestep = TICK
    spec.option.gravity = [0, 0, -GRAVITY * METRE]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    spec.option.iterations, spec.option.ls_iterations = iterations, 2 * iterations
    body = spec.worldbody.add_body(name="ball", pos=[0, 0, ball.REST_HEIGHT * METRE])
    body.add_freejoint(name="ball")
    body.add_geom(
        name="ball",
        type=mujoco.mjtGeom.mjGEOM_SPHERE,
        size=[ball.RADIUS * METRE, 0, 0],
        mass=ball.MASS,
        rgba=[0.9, 0.9, 0.9, 1],
        contype=_BALL_BIT,
        conaffinity=_HULL_BIT,
        **_CONTACT,
    )
    for index in range(num_cars):
        _add_car(spec, index, blue=index < num_cars // 2)
    if drawn:
        stadium.dress(spec, num_cars)
    return spec


# As a hit in Bullet without restitution: one step stops an approach, and overlap is undone slowly.
_CONTACT = {"solref": [2 * TICK, 4.0], "solimp": [0.98, 0.99, 0.001, 0.5, 2], "friction": [2.0, 0, 0], "condim": 3}


def _add_car(spec: mujoco.MjSpec, index: int, blue: bool) -> mujoco.MjsBody:
    body = spec.worldbody.add_body(name=f"car_{index}", pos=[0, (-20 if blue else 20) + index, 0.17])
    body.add_freejoint(name=f"car_{index}")
    body.explicitinertial = True
    body.mass, body.ipos, body.inertia = car.MASS, [0, 0, 0], car.INERTIA * METRE**2
    color = [0.2, 0.4, 1, 1] if blue else [1, 0.5, 0.1, 1]
    box = {"type": mujoco.mjtGeom.mjGEOM_BOX, "mass": 0}
    body.add_geom(
        name=f"hull_{index}",
        pos=car.HULL * METRE,
        size=car.SIZE / 2 * METRE,
        rgba=color,
        contype=_HULL_BIT,
        conaffinity=_BALL_BIT,
        **_CONTACT,
        **box,
    )
    length, width = car.SIZE[0] / 2, car.SIZE[1] / 2
    low, high = np.array([-length + width, 0, 0]), np.array([length - width, 0, 0])
    body.add_geom(
        name=f"capsule_{index}",
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=np.concatenate([car.HULL + low, car.HULL + high]) * METRE,
        size=[width * METRE, 0, 0],
        mass=0,
        rgba=[0, 0, 0, 0],
        contype=_CAPSULE_BIT,
        conaffinity=_CAPSULE_BIT,
        **(_CONTACT | {"friction": [0.09, 0, 0]}),
    )
    return body


def bodies(state: PhysicsState, num_cars: int) -> tuple[Rigid, Rigid]:
    """Returns the ball, and the cars with leaves `[A, ...]`."""
    qpos, qvel = state.qpos.reshape(1 + num_cars, 7), state.qvel.reshape(1 + num_cars, 6)
    each = jax.vmap(rigid.read)(qpos, qvel)
    return jax.tree.map(lambda x: x[0], each), jax.tree.map(lambda x: x[1:], each)


def tick(
    physics: Physics, state: PhysicsState, world: World, controls: Controls, demolitions: bool
) -> tuple[PhysicsState, World, Events]:
    """Advances a match by one tick of 1/120 s; `controls` has leaves `[A]`."""
    num_cars = world.cars.boost.shape[0]
    if demolitions:
        state, world = _put_aside(state, world)
    the_ball, cars = bodies(state, num_cars)
    present = world.cars.respawn == 0
    touching = jax.vmap(hits.touches_ball, (0, None))(cars, the_ball) & present
    moved, states = jax.vmap(_before_step)(cars, world.cars, controls)
    moved = _where(present, moved, cars)
    rolling = ball.before_step(the_ball)
    stepped = _step(physics, state, rolling, moved)

    after_ball, after_cars = bodies(stepped, num_cars)
    hit = touching & (states.since_hit > 1)
    extra = jax.vmap(hits.extra_push, (0, None))(moved, rolling)
    after_ball = after_ball.accelerated(jnp.where(hit[:, None], extra, 0).sum(0)).limited(ball.MAX_SPEED, ball.MAX_SPIN)
    states, after_cars, demolished = _bumps(states, after_cars, present, demolitions)
    after_cars = jax.vmap(lambda body: body.limited(car.MAX_SPEED, car.MAX_SPIN))(after_cars)
    states = states.replace(
        since_hit=jnp.where(hit, 0, jnp.minimum(states.since_hit + 1, 1000)),
        supersonic=jax.vmap(hits.is_supersonic)(after_cars, states.supersonic),
        held_jump=controls.jump,
    )
    pads, amount = boost.pick_up(world.pads, after_cars.position, states.boost, present)
    states = states.replace(boost=amount)
    scored = jnp.where(jnp.abs(after_ball.position[1]) > field.SCORED, jnp.sign(after_ball.position[1]), 0)
    stepped = stepped.replace(qvel=_velocities(after_ball, after_cars))
    return stepped, World(cars=states, pads=pads), Events(touched=hit, demolished=demolished, scored=scored)


def _put_aside(state: PhysicsState, world: World) -> tuple[PhysicsState, World]:
    """Moves demolished cars out of the way, and back into their half, on their wheels, once their time is up."""
    num = world.cars.respawn.shape[0]
    team, left = num // 2, world.cars.respawn
    out, back = left > TICK, (left > 0) & (left <= TICK)
    sign = np.where(np.arange(num) < team, 1.0, -1.0)[:, None]
    home = _COMES_BACK[np.arange(num) % team % len(_COMES_BACK)] * np.concatenate([sign, sign, sign**2], 1)
    facing = np.concatenate([np.full((num, 1), 0.5**0.5), np.zeros((num, 2)), 0.5**0.5 * sign], 1)
    aside = np.stack([1000.0 * np.arange(num), np.zeros(num), np.full(num, _HIDDEN)], 1)
    pose = jnp.where(
        back[:, None],
        jnp.asarray(np.concatenate([home * METRE, facing], 1), jnp.float32),
        jnp.asarray(np.concatenate([aside * METRE, facing], 1), jnp.float32),
    )
    moved = (out | back)[:, None]
    qpos, qvel = state.qpos.reshape(-1, 7), state.qvel.reshape(-1, 6)
    qpos = qpos.at[1:].set(jnp.where(moved, pose, qpos[1:]))
    qvel = qvel.at[1:].set(jnp.where(moved, 0, qvel[1:]))
    cars = _where(back, jax.vmap(car.fresh)(jnp.full(num, boost.AT_KICKOFF)), world.cars)
    state = state.replace(qpos=qpos.reshape(-1), qvel=qvel.reshape(-1))
    return state, world.replace(cars=cars)


def _before_step(body: Rigid, state: CarState, controls: Controls) -> tuple[Rigid, CarState]:
    """Applies all that changes one car's velocities before the engine's step, in RocketSim's order."""
    pressed = controls.jump & ~state.held_jump
    wheels = car.find_wheels(body)
    # Wheels push according to the motion before a jump.
    along_ground, springs = car.friction(body, state, controls, wheels), car.suspension(body, wheels)
    body, state = car.drive(body, state, controls, wheels)
    flying = aerial.control(body, state, controls)
    body = jax.tree.map(lambda new, old: jnp.where(wheels.count == 0, new, old), flying, body)
    body, state = aerial.jump(body, state, controls, pressed)
    body, state = aerial.flip_over(body, state, pressed)
    body, state = aerial.second_jump(body, state, controls, pressed)
    body = aerial.roll_over(body, state, controls, wheels)
    body = body.pushed(springs, wheels.point, car.MASS, car.INERTIA)
    # Friction acts at the height of the centre of mass, so that driving does not pitch the car.
    up = parts(body.up)
    level = plus(wheels.point, times(-dot(wheels.point, up), up))
    body = body.pushed(along_ground, level, car.MASS, car.INERTIA)
    body, state = boost.push(body, state, controls)
    state = state.replace(on_ground=wheels.count >= 3)
    return hull.collide(body, state)


def _step(physics: Physics, state: PhysicsState, the_ball: Rigid, cars: Rigid) -> PhysicsState:
    """Runs one engine step from these velocities. Cancels the gyroscopic torque, which Bullet does not have."""
    inertia = jnp.asarray(car.INERTIA * METRE**2, jnp.float32)
    spin = jax.vmap(to_body)(cars.rotation, cars.spin)
    gyroscopic = jnp.cross(spin, inertia * spin)
    applied = jnp.concatenate([jnp.zeros(6), jnp.concatenate([jnp.zeros_like(spin), gyroscopic], 1).reshape(-1)])
    positions = jnp.concatenate([the_ball.position[None], cars.position]) * METRE
    qpos = state.qpos.reshape(-1, 7).at[:, :3].set(positions).reshape(-1)
    state = state.replace(qpos=qpos, qvel=_velocities(the_ball, cars))
    return physics.step(state, jnp.zeros(0), 1, applied)


def _velocities(the_ball: Rigid, cars: Rigid) -> jax.Array:
    return jnp.concatenate([rigid.write(the_ball), jax.vmap(rigid.write)(cars).reshape(-1)])


def _bumps(states: CarState, cars: Rigid, present: jax.Array, demolitions: bool) -> tuple[CarState, Rigid, jax.Array]:
    """Applies the bumps between cars; returns states, bodies, and which cars are demolished, `[A]` bool."""
    num = present.shape[0]
    blue = jnp.arange(num) < num // 2
    pair = jax.vmap(jax.vmap(hits.bump, (None, None, 0, 0)), (0, 0, None, None))
    bumps, pushes = pair(cars, states, cars, states.on_ground)
    bumps &= present[:, None] & present[None, :] & ~jnp.eye(num, dtype=bool)
    fatal = bumps & states.supersonic[:, None] & (blue[:, None] != blue[None, :]) & demolitions
    pushed = jnp.where((bumps & ~fatal)[..., None], pushes, 0).sum(0)
    states = states.replace(
        since_bump=jnp.where(bumps.any(1), 0, jnp.minimum(states.since_bump + 1, 1000)),
        respawn=jnp.where(fatal.any(0), hits.RESPAWN, jnp.maximum(states.respawn - TICK, 0)),
    )
    return states, cars.replace(velocity=cars.velocity + pushed), fatal.any(0)


def _where(choose: jax.Array, yes, no):
    return jax.tree.map(lambda a, b: jnp.where(choose.reshape(-1, *[1] * (a.ndim - 1)), a, b), yes, no)
