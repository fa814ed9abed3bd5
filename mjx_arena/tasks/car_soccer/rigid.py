"""Rigid bodies, and impulses on them."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.typing import ArrayLike

from mjx_arena.geometry import rotation_matrix
from mjx_arena.tasks.car_soccer.units import METRE
from mjx_arena.tasks.car_soccer.vectors import Parts, along, cross, dot, parts, plus, to_body, to_world


class Rigid(struct.PyTreeNode):
    """A rigid body, with its centre of mass at its origin."""

    position: jax.Array  # [3] uu
    rotation: jax.Array  # [3, 3] from the body's coordinates to the world's
    velocity: jax.Array  # [3] uu/s
    spin: jax.Array  # [3] rad/s, in world coordinates

    @property
    def forward(self) -> jax.Array:
        """Returns the direction of the nose `[3]`."""
        return self.rotation[:, 0]

    @property
    def right(self) -> jax.Array:
        """Returns the direction of the right side `[3]`."""
        return self.rotation[:, 1]

    @property
    def up(self) -> jax.Array:
        """Returns the direction of the roof `[3]`."""
        return self.rotation[:, 2]

    @property
    def forward_speed(self) -> jax.Array:
        """Returns the speed along the nose `[]`, uu/s."""
        return along(self.velocity, self.forward)

    def accelerated(self, velocity: ArrayLike, spin: ArrayLike = 0.0) -> "Rigid":
        """Returns the body with `velocity` `[3]` uu/s and `spin` `[3]` rad/s added to its own."""
        return self.replace(velocity=self.velocity + velocity, spin=self.spin + spin)

    def moving(self, offset: Parts) -> Parts:
        """Returns the velocities of points at `offset` from the centre."""
        return plus(parts(self.velocity), cross(parts(self.spin), offset))

    def yields(self, offset: Parts, direction: Parts, mass: float, inertia: np.ndarray) -> jax.Array:
        """Returns the speed that an impulse of 1 along unit vectors `direction`, at `offset` from the centre, adds."""
        lever = cross(offset, direction)
        x, y, z = (dot(lever, parts(axis)) for axis in (self.forward, self.right, self.up))
        return 1 / mass + x * x / inertia[0] + y * y / inertia[1] + z * z / inertia[2]

    def pushed(self, impulse: Parts, offset: Parts, mass: float, inertia: np.ndarray) -> "Rigid":
        """Returns the body after impulses at `offset` from the centre; `inertia` `[3]` is about its own axes."""
        push, turn = (jnp.stack([part.sum() for part in vector]) for vector in (impulse, cross(offset, impulse)))
        spin = to_world(self.rotation, to_body(self.rotation, turn) / inertia)
        return self.accelerated(push / mass, spin)

    def limited(self, speed: float, spin: float) -> "Rigid":
        """Returns the body with velocities cut to `speed` uu/s and `spin` rad/s."""
        return self.replace(velocity=_at_most(self.velocity, speed), spin=_at_most(self.spin, spin))


def read(qpos: jax.Array, qvel: jax.Array) -> Rigid:
    """Reads a body from the `qpos` `[7]` and `qvel` `[6]` of the engine's free joint."""
    rotation = rotation_matrix(qpos[3:7])
    return Rigid(qpos[:3] / METRE, rotation, qvel[:3] / METRE, to_world(rotation, qvel[3:6]))


def write(body: Rigid) -> jax.Array:
    """Returns the `qvel` `[6]` of the engine's free joint."""
    return jnp.concatenate([body.velocity * METRE, to_body(body.rotation, body.spin)])


def _at_most(vector: jax.Array, most: float) -> jax.Array:
    return vector * jnp.minimum(1.0, most / jnp.maximum(jnp.linalg.norm(vector + 1e-12), 1e-6))
