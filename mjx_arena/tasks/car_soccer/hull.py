"""Contact of a car's hull with the field: impulses at its corners, from a few rounds of projected Jacobi.

It is computed in the car's own frame, where the corners do not move and the inertia is diagonal.
"""

import itertools

import jax.numpy as jnp
import numpy as np

from mjx_arena.tasks.car_soccer import field
from mjx_arena.tasks.car_soccer.car import HULL, INERTIA, MASS, SIZE, CarState
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.units import GRAVITY, TICK
from mjx_arena.tasks.car_soccer.vectors import Parts, cross, dot, least, plus, times, to_body, to_world

_SIGNS = np.array(list(itertools.product((-1, 1), repeat=3)), np.float32)  # [8, 3]
_CORNERS: Parts = tuple((HULL + _SIGNS * SIZE / 2).astype(np.float32).T)
_RESTITUTION, _FRICTION = 0.3, 0.3
_SLOW = 10.0  # uu/s of approach, below which nothing bounces
_ROUNDS = 3
_ERROR_REDUCTION = 0.2  # share of the depth that is undone in a tick, without adding speed
_FALL = np.array([0, 0, -GRAVITY * TICK])


def collide(body: Rigid, state: CarState) -> tuple[Rigid, CarState]:
    """Applies impulses after which a step of the engine, which adds gravity, lets no corner sink further.

    If the hull touches several surfaces, only the one that it is deepest in acts in this tick.
    """
    normals, distances = field.surfaces(body.position + to_world(body.rotation, jnp.asarray(HULL, jnp.float32)))
    along_axes = to_body(body.rotation, normals)  # [5, 3]
    gaps = distances - (jnp.abs(along_axes) * (SIZE / 2)).sum(-1)
    deepest, up, distance, axes = least(gaps, normals, distances, along_axes)

    normal: Parts = tuple(axes)
    velocity: Parts = tuple(to_body(body.rotation, body.velocity + _FALL))
    spin: Parts = tuple(to_body(body.rotation, body.spin))
    touching = distance + dot(tuple((_SIGNS * SIZE / 2).T), normal) <= 0  # [8], as is all that follows
    lever = cross(_CORNERS, normal)
    yields = 1 / MASS + dot(lever, tuple(part / about for part, about in zip(lever, INERTIA, strict=True)))
    gain = 1 / (jnp.maximum(touching.sum(), 1) * yields)
    approach = -dot(plus(velocity, cross(spin, _CORNERS)), normal)
    target = jnp.where(approach > _SLOW, _RESTITUTION * approach, 0)

    pushes = jnp.zeros(8)
    for _ in range(_ROUNDS):
        moving = plus(velocity, cross(spin, _CORNERS))
        speed = dot(moving, normal)
        more = jnp.where(touching, jnp.maximum(pushes + gain * (target - speed), 0) - pushes, 0)
        slip = plus(moving, times(-speed, normal))
        fast = jnp.sqrt(dot(slip, slip) + 1e-9)
        drag = jnp.minimum(gain * fast, _FRICTION * jnp.maximum(more, 0)) / fast
        impulse = plus(times(more, normal), times(-drag, slip))
        turn = cross(_CORNERS, impulse)
        velocity = tuple(old + new.sum() / MASS for old, new in zip(velocity, impulse, strict=True))
        spin = tuple(old + new.sum() / about for old, new, about in zip(spin, turn, INERTIA, strict=True))
        pushes += more
    lift = jnp.maximum(-_ERROR_REDUCTION * deepest, 0) * up
    state = state.replace(hull_touches=deepest <= 0, hull_normal=up)
    return body.replace(
        position=body.position + lift,
        velocity=to_world(body.rotation, jnp.stack(velocity)) - _FALL,
        spin=to_world(body.rotation, jnp.stack(spin)),
    ), state
