"""The hull of a car against the field: impulses at its corners, found by a few rounds of projected Jacobi."""

import itertools

import jax.numpy as jnp
import numpy as np

from mjx_arena.soccer import GRAVITY, TICK, field
from mjx_arena.soccer.car import HULL, INERTIA, MASS, SIZE, CarState
from mjx_arena.soccer.rigid import Rigid
from mjx_arena.soccer.vectors import along, least, to_body, to_world

_SIGNS = np.array(list(itertools.product((-1, 1), repeat=3)))
_RESTITUTION, _FRICTION = 0.3, 0.3
_SLOW = 10.0  # uu/s of approach, below which nothing bounces
_ROUNDS = 3
_ERROR_REDUCTION = 0.2  # of the depth that is undone a tick, without becoming faster
_FALL = np.array([0, 0, -GRAVITY * TICK])


def collide(body: Rigid, state: CarState) -> tuple[Rigid, CarState]:
    """Velocities for a step of the engine, which adds gravity, that does not let corners sink further.

    Of several surfaces that the hull touches, the one that it is deepest in acts in this tick.
    """
    centre = to_world(body.rotation, jnp.asarray(HULL, jnp.float32))
    normals, distances = field.surfaces(body.position + centre)
    along_axes = to_body(body.rotation, normals) * (SIZE / 2)  # [5, 3] what half an edge takes off the distance
    gaps = distances - jnp.abs(along_axes).sum(-1)
    deepest, normal, distance, half = least(gaps, normals, distances, along_axes)

    corners = centre + to_world(body.rotation, jnp.asarray(_SIGNS * (SIZE / 2), jnp.float32))  # [8, 3]
    touching = distance + along(_SIGNS, half) <= 0
    # In the frame of the body's axes its inertia is diagonal.
    levers = to_body(body.rotation, jnp.cross(corners, normal))
    yields = 1 / MASS + (levers * levers / INERTIA).sum(-1)
    share = 1 / jnp.maximum(touching.sum(), 1)
    body = body.accelerated(_FALL)
    approach = -along(body.velocity_at(corners), normal)
    target = jnp.where(approach > _SLOW, _RESTITUTION * approach, 0)

    pushes = jnp.zeros(8)
    for _ in range(_ROUNDS):
        velocity = body.velocity_at(corners)
        speed = along(velocity, normal)
        more = jnp.maximum(pushes + share * (target - speed) / yields, 0) - pushes
        more = jnp.where(touching, more, 0)
        slip = velocity - speed[:, None] * normal
        fast = jnp.sqrt((slip * slip).sum(-1) + 1e-9)
        drag = jnp.minimum(share * fast / yields, _FRICTION * jnp.maximum(more, 0)) / fast
        body = body.pushed(more[:, None] * normal - drag[:, None] * slip, corners, MASS, INERTIA)
        pushes += more
    lift = jnp.maximum(-_ERROR_REDUCTION * deepest, 0) * normal
    state = state.replace(hull_touches=deepest <= 0, hull_normal=normal)
    return body.accelerated(-_FALL).replace(position=body.position + lift), state
