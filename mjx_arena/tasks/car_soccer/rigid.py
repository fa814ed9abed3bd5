"""A rigid body in the world, and impulses on it."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.typing import ArrayLike

from mjx_arena.geometry import rotation_matrix
from mjx_arena.tasks.car_soccer.units import METRE
from mjx_arena.tasks.car_soccer.vectors import Parts, along, cross, dot, parts, plus, to_body, to_world


class Rigid(struct.PyTreeNode):
    """With its centre of mass at its origin."""

    position: jax.Array  # [3] uu
    rotation: jax.Array  # [3, 3] from the body's coordinates to the world's
    velocity: jax.Array  # [3] uu/s
    spin: jax.Array  # [3] rad/s, in world coordinates

    @property
    def forward(self) -> jax.Array:
        return self.rotation[:, 0]

    @property
    def right(self) -> jax.Array:
        return self.rotation[:, 1]

    @property
    def up(self) -> jax.Array:
        return self.rotation[:, 2]

    @property
    def forward_speed(self) -> jax.Array:
        return along(self.velocity, self.forward)

    def accelerated(self, velocity: ArrayLike, spin: ArrayLike = 0.0) -> "Rigid":
        """With changes of its velocities `[3]`."""
        return self.replace(velocity=self.velocity + velocity, spin=self.spin + spin)

    def moving(self, offset: Parts) -> Parts:
        """Velocity of points `offset` from the centre."""
        return plus(parts(self.velocity), cross(parts(self.spin), offset))

    def yields(self, offset: Parts, direction: Parts, mass: float, inertia: np.ndarray) -> jax.Array:
        """What an impulse of 1 along unit vectors `direction`, `offset` from the centre, adds to the speed there."""
        lever = cross(offset, direction)
        x, y, z = (dot(lever, parts(axis)) for axis in (self.forward, self.right, self.up))
        return 1 / mass + x * x / inertia[0] + y * y / inertia[1] + z * z / inertia[2]

    def pushed(self, impulse: Parts, offset: Parts, mass: float, inertia: np.ndarray) -> "Rigid":
        """By impulses that act `offset` from the centre; `inertia` `[3]` along its own axes."""
        push, turn = (jnp.stack([part.sum() for part in vector]) for vector in (impulse, cross(offset, impulse)))
        spin = to_world(self.rotation, to_body(self.rotation, turn) / inertia)
        return self.accelerated(push / mass, spin)

    def limited(self, speed: float, spin: float) -> "Rigid":
        """With velocities of at most so many uu/s and rad/s."""
        return self.replace(velocity=_at_most(self.velocity, speed), spin=_at_most(self.spin, spin))


def read(qpos: jax.Array, qvel: jax.Array) -> Rigid:
    """Of free joints `[7]` and `[6]` of the engine."""
    rotation = rotation_matrix(qpos[3:7])
    return Rigid(qpos[:3] / METRE, rotation, qvel[:3] / METRE, to_world(rotation, qvel[3:6]))


def write(body: Rigid) -> jax.Array:
    """Velocities `[6]` of the engine's free joint."""
    return jnp.concatenate([body.velocity * METRE, to_body(body.rotation, body.spin)])


def _at_most(vector: jax.Array, most: float) -> jax.Array:
    return vector * jnp.minimum(1.0, most / jnp.maximum(jnp.linalg.norm(vector + 1e-12), 1e-6))
