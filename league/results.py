"""Wins, draws and losses of a learner against each member of the pool."""

import jax
import jax.numpy as jnp
from flax import struct


class Results(struct.PyTreeNode):
    """Results of one learner by slot; the last axis holds its wins, draws and losses."""

    total: jax.Array  # [K, 3] int32
    decayed: jax.Array  # [K, 3] float32: a game's weight is multiplied by `decay` for every later one

    @classmethod
    def zeros(cls, slots: int) -> "Results":
        """Returns results of no games."""
        return cls(jnp.zeros((slots, 3), jnp.int32), jnp.zeros((slots, 3)))

    def cleared(self, slot: jax.Array) -> "Results":
        """Returns these results without those against `slot`."""
        return Results(self.total.at[slot].set(0), self.decayed.at[slot].set(0))

    def recorded(self, counts: jax.Array, decay: float) -> "Results":
        """Returns these results with new `counts` `[K, 3]` int32; games of one call are taken as simultaneous."""
        games = counts.sum(1, keepdims=True)
        return Results(self.total + counts, self.decayed * decay**games + counts)

    def win_rate(self) -> jax.Array:
        """Returns decayed win rates `[K]`: a draw is half a win, and 1/2 stands for no games."""
        games = self.decayed.sum(1)
        return jnp.where(games > 0, (self.decayed[:, 0] + self.decayed[:, 1] / 2) / jnp.maximum(games, 1e-9), 0.5)


def count(
    slot: jax.Array, generation: jax.Array, current_generation: jax.Array, score: jax.Array, counted: jax.Array
) -> jax.Array:
    """Counts finished games `[...]` by slot and result: `[K, 3]` int32.

    Args:
      slot: int32 `[...]`, the member that the learner met.
      generation: int32 `[...]`, the slot's generation when the match began; where it differs from
        `current_generation` `[K]`, the member has been replaced and the result is dropped.
      score: `[...]`, positive for a win of the learner, zero for a draw, negative for a loss.
      counted: bool `[...]`, whether a rated match ended there.
    """
    counted = counted & (generation == current_generation[slot])
    column = 1 - jnp.sign(score).astype(jnp.int32)
    counts = jnp.zeros((current_generation.shape[0], 3), jnp.int32)
    return counts.at[slot, column].add(counted.astype(jnp.int32))
