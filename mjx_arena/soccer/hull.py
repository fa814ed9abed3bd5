"""The hull of a car against the field: impulses at its corners, found by a few rounds of projected Jacobi."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.soccer import GRAVITY, TICK, field
from mjx_arena.soccer.car import HULL, INERTIA, MASS, SIZE, CarState
from mjx_arena.soccer.rigid import Rigid

_CORNERS = HULL + SIZE / 2 * np.array(list(itertools.product((-1, 1), repeat=3)))
_RESTITUTION, _FRICTION = 0.3, 0.3
_SLOW = 10.0  # uu/s of approach, below which nothing bounces
_ROUNDS = 4
_ERROR_REDUCTION = 0.2  # of the depth that is undone a tick, without becoming faster
_FALL = np.array([0, 0, -GRAVITY * TICK])


def collide(body: Rigid, state: CarState) -> tuple[Rigid, CarState]:
    """Velocities for a step of the engine, which adds gravity, that does not let corners sink further."""
    offset = jnp.asarray(_CORNERS, jnp.float32) @ body.rotation.T
    normals, distances = jax.vmap(field.surfaces)(body.position + offset)
    nearest = jnp.argmin(distances, -1)
    normal, gap = normals[jnp.arange(8), nearest], distances[jnp.arange(8), nearest]
    touching = gap <= 0

    inertia = jnp.asarray(INERTIA, jnp.float32)
    lever = jnp.cross(offset, normal)
    yields = 1 / MASS + jnp.sum(body.turned_by(lever, inertia) * lever, -1)
    share = 1 / jnp.maximum(touching.sum(), 1)
    body = body.accelerated(_FALL)
    approach = -_along(body.velocity_at(offset), normal)
    target = jnp.where(approach > _SLOW, _RESTITUTION * approach, 0)

    def one_round(carry, _):
        body, pushes = carry
        velocity = body.velocity_at(offset)
        speed = _along(velocity, normal)
        more = jnp.maximum(pushes + share * (target - speed) / yields, 0) - pushes
        more = jnp.where(touching, more, 0)
        slip = velocity - speed[:, None] * normal
        fast = jnp.linalg.norm(slip + 1e-9, axis=-1)
        drag = jnp.minimum(share * fast / yields, _FRICTION * jnp.maximum(more, 0))
        impulse = more[:, None] * normal - (drag / jnp.maximum(fast, 1e-6))[:, None] * slip
        return (body.pushed(impulse, offset, MASS, inertia), pushes + more), None

    (body, _), _ = jax.lax.scan(one_round, (body, jnp.zeros(8)), None, _ROUNDS, unroll=True)
    deepest = jnp.argmin(gap)
    lift = jnp.where(gap[deepest] < 0, -_ERROR_REDUCTION * gap[deepest], 0) * normal[deepest]
    state = state.replace(hull_touches=touching.any(), hull_normal=normal[deepest])
    return body.accelerated(-_FALL).replace(position=body.position + lift), state


def _along(vectors: jax.Array, directions: jax.Array) -> jax.Array:
    return jnp.sum(vectors * directions, -1)
