"""A rigid body in the world, and impulses on it."""

import jax
import jax.numpy as jnp
from flax import struct
from jax.typing import ArrayLike

from mjx_arena.geometry import rotation_matrix
from mjx_arena.soccer import METRE
from mjx_arena.soccer.vectors import along, to_body, to_world


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

    def velocity_at(self, offset: jax.Array) -> jax.Array:
        """Of the point `offset` `[3]` from the centre, in world coordinates."""
        return self.velocity + jnp.cross(self.spin, offset)

    def accelerated(self, velocity: ArrayLike, spin: ArrayLike = 0.0) -> "Rigid":
        """With changes of its velocities `[3]`."""
        return self.replace(velocity=self.velocity + velocity, spin=self.spin + spin)

    def pushed(self, impulse: jax.Array, offset: jax.Array, mass: float, inertia: jax.Array) -> "Rigid":
        """By impulses `[..., 3]` that act `offset` `[..., 3]` from the centre; `inertia` `[3]` along its own axes."""
        turn = jnp.cross(offset, impulse).reshape(-1, 3).sum(0)
        return self.accelerated(impulse.reshape(-1, 3).sum(0) / mass, self.turned_by(turn, inertia))

    def turned_by(self, turn: jax.Array, inertia: jax.Array) -> jax.Array:
        """Changes of the spin `[..., 3]` by angular impulses `[..., 3]`."""
        return to_world(self.rotation, to_body(self.rotation, turn) / inertia)

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
