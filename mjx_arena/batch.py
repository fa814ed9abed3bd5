"""Many arenas as one: vmapped steps in blocks, automatic reset from a bank of fresh states, and a guard against NaN.

Axes: N arenas, F bank entries, A agents.
"""

import math
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct

from mjx_arena.arena import Arena
from mjx_arena.types import ArenaState, Progress, TimeStep


class Bank(struct.PyTreeNode):
    """F fresh reset states, made once per iteration; an arena whose match ends continues with one of them."""

    state: ArenaState  # [F, ...]
    timestep: TimeStep  # [F, ...]


class Transition(struct.PyTreeNode):
    """The result of one control step of N arenas."""

    timestep: TimeStep  # [N, ...] of the step itself: its observation is the final one if the match ended
    observation: jax.Array  # [N, A, O] to act on next: that of the fresh match if one ended
    alive: jax.Array  # [N, A] bool, belongs to `observation`
    action_mask: jax.Array | None  # [N, A, n] bool, belongs to `observation`
    ended: jax.Array  # [N] bool: decided, out of time, or broken
    broken: jax.Array  # [N] bool: the step was not finite; the match is annulled (not rated, no agent alive)
    played: tuple[ArenaState, TimeStep]  # [N, ...] as the game's step left them, also where a match ended or broke


class BatchedArena:
    """Steps N arenas in blocks of `block_size`, which must divide N."""

    def __init__(self, arena: Arena, block_size: int):
        self.arena, self.block_size = arena, block_size

    def reset(self, key: chex.PRNGKey, num_arenas: int) -> tuple[ArenaState, TimeStep]:
        """Starts fresh matches `[N, ...]`."""
        return self.blockwise(jax.vmap(self.arena.reset), jax.random.split(key, num_arenas))

    def make_bank(self, key: chex.PRNGKey, size: int, progress: Progress | None = None) -> Bank:
        """Makes a bank of `size` fresh reset states, at the stage `progress` of a run if given."""
        if progress is None:
            return Bank(*self.reset(key, size))
        start = jax.vmap(lambda key: self.arena.reset(key, progress.phase))
        state, timestep = self.blockwise(start, jax.random.split(key, size))
        return Bank(self.progressed(state, progress), timestep)

    def progressed(self, state: ArenaState, progress: Progress) -> ArenaState:
        """Returns states `[N, ...]` as they are after `progress` of a run."""
        return jax.vmap(self.arena.progressed, in_axes=(0, None))(state, progress)

    def step_without_reset(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        """Plays `action` `[N, A, ...]` and leaves ended matches as they are."""
        return self.blockwise(jax.vmap(self.arena.step), state, action)

    def step(
        self, state: ArenaState, action: jax.Array, bank: Bank, key: chex.PRNGKey
    ) -> tuple[ArenaState, Transition]:
        """Plays `action` `[N, A, ...]`; arenas whose match ends continue with entries of `bank`, drawn with `key`."""

        def draw(after: ArenaState, ended: jax.Array) -> tuple[ArenaState, TimeStep]:
            # The remainder favours the first entries by one part in 2**32 / F; `randint` draws twice to avoid it.
            index = jax.random.bits(key, ended.shape) % bank.state.step_count.shape[0]
            fresh, timestep = jax.tree.map(lambda leaf: leaf[index], (bank.state, bank.timestep))
            # A bank entry may serve several matches: each goes on with the random stream of its own arena.
            return fresh.replace(key=after.key), timestep

        return self.step_into(state, action, draw)

    def step_into(
        self,
        state: ArenaState,
        action: jax.Array,
        fresh_for: Callable[[ArenaState, jax.Array], tuple[ArenaState, TimeStep]],
    ) -> tuple[ArenaState, Transition]:
        """Plays `action` `[N, A, ...]`; arenas whose match ends continue with what `fresh_for` returns.

        `fresh_for` gets the states after the step and which matches ended, `[N]` bool; it returns N fresh matches.
        """
        state, timestep = played = self.step_without_reset(state, action)
        broken = ~_finite_per_arena((state.physics, timestep.observation, timestep.reward))
        ended = timestep.terminated | timestep.truncated | broken
        fresh_state, fresh = fresh_for(state, ended)

        timestep = timestep.replace(
            observation=where(broken, fresh.observation, timestep.observation),
            reward=where(broken, jnp.zeros_like(timestep.reward), timestep.reward),
            terminated=timestep.terminated & ~broken,
            truncated=timestep.truncated | broken,
            outcome=where(broken, jnp.zeros_like(timestep.outcome), timestep.outcome),
            alive=timestep.alive & ~broken[:, None],
            rated=timestep.rated & ~broken,
            metrics={name: jnp.where(broken, 0, value) for name, value in timestep.metrics.items()},
        )
        mask = timestep.action_mask
        transition = Transition(
            timestep=timestep,
            observation=where(ended, fresh.observation, timestep.observation),
            alive=where(ended, fresh.alive, timestep.alive),
            action_mask=None if mask is None or fresh.action_mask is None else where(ended, fresh.action_mask, mask),
            ended=ended,
            broken=broken,
            played=played,
        )
        return jax.tree.map(lambda new, old: where(ended, new, old), fresh_state, state), transition

    def blockwise(self, function, *args: Any) -> Any:
        """Applies `function` to one block of the leading axis after another: small blocks fit a CPU's cache.

        Raises ValueError if the blocks do not divide the axis.
        """
        size = jax.tree.leaves(args)[0].shape[0]
        if size <= self.block_size:
            return function(*args)
        num_blocks = size // self.block_size
        if size % self.block_size:
            raise ValueError(f"{size} arenas do not divide into blocks of {self.block_size}")
        blocks = jax.tree.map(lambda leaf: leaf.reshape(num_blocks, self.block_size, *leaf.shape[1:]), args)
        result = jax.lax.map(lambda block: function(*block), blocks)
        return jax.tree.map(lambda leaf: leaf.reshape(size, *leaf.shape[2:]), result)


def where(condition: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
    """Applies `jnp.where` with a condition `[N]` to arrays `[N, ...]`."""
    return jnp.where(condition.reshape(condition.shape + (1,) * (new.ndim - 1)), new, old)


def _finite_per_arena(tree: Any) -> jax.Array:
    """Returns `[N]` bool: every number of the arena is finite."""
    leaves = jax.tree.leaves(tree)
    checks = [jnp.isfinite(leaf).reshape(leaf.shape[0], math.prod(leaf.shape[1:])).all(1) for leaf in leaves]
    return jnp.stack(checks).all(0)
