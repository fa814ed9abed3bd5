"""Postures and motions of bodies with a free root and hinges, as tasks read them from a state."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
from flax import struct

from mjx_arena.geometry import heading, rotation_matrix, to_heading_frame

AHEAD_LEFT_UP, XYZ = ("ahead", "left", "up"), ("x", "y", "z")


def named(name: str, parts: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of a vector's parts."""
    return tuple(f"{name} {part}" for part in parts)


SEEN = (  # names of what `Posture.seen` returns of one other body
    *named("other: offset", AHEAD_LEFT_UP),
    "other: distance",
    *named("other: velocity", AHEAD_LEFT_UP),
    *named("other: heading", AHEAD_LEFT_UP[:2]),
    *named("other: up axis", AHEAD_LEFT_UP),
)


class Posture(struct.PyTreeNode):
    """The posture of n bodies with h hinges each, in world coordinates unless a comment says otherwise."""

    position: jax.Array  # [n, 3] m, of the root
    velocity: jax.Array  # [n, 3] m/s, of the root
    spin: jax.Array  # [n, 3] rad/s, of the root, in the body's own coordinates
    rotation: jax.Array  # [n, 3, 3] from the body's coordinates to the world's
    facing: jax.Array  # [n, 2] unit vector of the heading
    hinges: jax.Array  # [n, h] rad
    hinge_speeds: jax.Array  # [n, h] rad/s

    @classmethod
    def read(cls, qpos: jax.Array, qvel: jax.Array, num_bodies: int) -> "Posture":
        """Reads the state of a model whose joints are those of `num_bodies` equal bodies, one after the other."""
        qpos = qpos.reshape(num_bodies, qpos.size // num_bodies)
        qvel = qvel.reshape(num_bodies, qvel.size // num_bodies)
        rotation = rotation_matrix(qpos[:, 3:7])
        return cls(
            position=qpos[:, :3],
            velocity=qvel[:, :3],
            spin=qvel[:, 3:6],
            rotation=rotation,
            facing=heading(rotation),
            hinges=qpos[:, 7:],
            hinge_speeds=qvel[:, 6:],
        )

    @property
    def height(self) -> jax.Array:
        """Returns the height of the roots `[n]`, m."""
        return self.position[:, 2]

    @property
    def up(self) -> jax.Array:
        """Returns the bodies' up axes in world coordinates `[n, 3]`."""
        return self.rotation[:, :, 2]

    @property
    def vertical(self) -> jax.Array:
        """Returns the world's up axis in each body's coordinates `[n, 3]`."""
        return self.rotation[:, 2, :]

    @property
    def distance(self) -> jax.Array:
        """Returns the distances of the roots from the world's vertical axis `[n]`, m."""
        return jnp.linalg.norm(self.position[:, :2], axis=-1)

    def of_others(self) -> "Posture":
        """Returns the postures of two bodies in exchanged places, so that each row is the other body."""
        return jax.tree.map(lambda x: x[::-1], self)

    def others(self) -> "Posture":
        """Returns for each body the others in cyclic order, from the next one on: fields `[n, n - 1, ...]`."""
        num = self.position.shape[0]
        index = (jnp.arange(num)[:, None] + jnp.arange(1, num)) % num
        return jax.tree.map(lambda x: x[index], self)

    def in_own_frame(self, vector: jax.Array) -> jax.Array:
        """Returns world vectors `[n, ..., 3]`, one or more for each body, as (ahead, left, up) of its heading."""
        facing = self.facing.reshape(self.facing.shape[0], *[1] * (vector.ndim - 2), 2)
        return to_heading_frame(vector, jnp.broadcast_to(facing, (*vector.shape[:-1], 2)))

    def seen(self) -> jax.Array:
        """Returns how each body sees the others `[n, n - 1, 12]`, ordered as in `others`.

        These are, in its own frame: offset (3), flat distance, velocity (3), heading (2) and up axis (3).
        """
        others = self.others()
        gap = others.position - self.position[:, None]
        facing = jnp.concatenate([others.facing, jnp.zeros_like(others.facing[..., :1])], -1)
        parts = [
            self.in_own_frame(gap),
            jnp.linalg.norm(gap[..., :2], axis=-1, keepdims=True),
            self.in_own_frame(others.velocity),
            self.in_own_frame(facing)[..., :2],
            self.in_own_frame(others.rotation[..., :, 2]),
        ]
        return jnp.concatenate(parts, -1)
