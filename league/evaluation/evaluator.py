"""Plays matches between frozen policies, each from its first step to its end.

Matches wait in a queue. An arena that finishes takes the next one, so only the last round waits for the longest match.
"""

import functools
from collections.abc import Mapping, Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from league import opponents
from mjx_arena import devices
from mjx_arena.arena import Arena
from mjx_arena.batch import BatchedArena, where
from mjx_arena.trajectory import Film
from mjx_arena.types import ArenaState, Box, PhysicsState, TimeStep
from ppo.policy import Policy, PolicyState

_ARENAS = 512  # most arenas side by side on one device of an accelerator
# On a CPU, where a step costs by the arena: the longest match of the last round keeps all of them stepping.
_CPU_ARENAS = 32


class Records(struct.PyTreeNode):
    """Results of M matches of A agents, in the order of the queue."""

    outcome: np.ndarray | jax.Array  # [M, A] from +1, best, to -1
    terminated: np.ndarray | jax.Array  # [M] bool: decided, not ended by the time limit
    length: np.ndarray | jax.Array  # [M] int32 control steps
    rated: np.ndarray | jax.Array  # [M] bool: not a drill
    valid: np.ndarray | jax.Array  # [M] bool: false where physics broke, so the match must not count
    returns: np.ndarray | jax.Array  # [M, A] sums of rewards
    metrics: Mapping[str, np.ndarray | jax.Array]  # {name: [M]} means over a match; of `last/`, values at its end


class Evaluator:
    """Plays matches of one arena on all devices of `mesh`, between players that are indices into stacks of policies.

    Policies of one architecture share a stack; `policies` holds one `Policy` for each stack. Indices run through all
    stacks: those of the second stack follow those of the first.
    """

    def __init__(
        self,
        arena: Arena,
        policies: Sequence[Policy],
        mesh: Mesh,
        block_size: int | None,
        sampled: bool,
        tile_rows: int = 32,
    ):
        self.arena, self.policies, self.mesh = arena, tuple(policies), mesh
        self.block_size, self.sampled, self.tile_rows = block_size, sampled, tile_rows
        self._programs = {
            repeats: jax.jit(
                jax.shard_map(
                    functools.partial(self._local_play, repeats=repeats),
                    mesh=mesh,
                    in_specs=(P(), P(devices.AXIS), P()),
                    out_specs=P(devices.AXIS),
                    check_vma=False,
                )
            )
            for repeats in (1, arena.num_agents)
        }
        self._film = jax.jit(self._local_film, static_argnums=3)

    def play(
        self, stacks: Sequence[PolicyState], slot: np.ndarray, key: chex.PRNGKey, repeated: bool = False
    ) -> Records:
        """Plays one match for each row of `slot` `[M, A]`, the player in each seat. Returns records on the host.

        If `repeated`, groups of A consecutive matches start from the same state: for the same players in other seats.
        """
        repeats = self.arena.num_agents if repeated else 1
        share = self.mesh.size * repeats
        padded = np.resize(slot, (-(-len(slot) // share) * share, slot.shape[1])).astype(np.int32)
        records = self._programs[repeats](tuple(stacks), padded, key)
        return jax.tree.map(lambda x: x[: len(slot)], jax.device_get(records))

    def film(self, stacks: Sequence[PolicyState], slot: np.ndarray, key: chex.PRNGKey, max_steps: int) -> list[Film]:
        """Plays M matches of at most `max_steps` control steps on one device; returns each. Arguments as in `play`."""
        states, ended = jax.device_get(self._film(tuple(stacks), jnp.asarray(slot, jnp.int32), key, max_steps))
        length = np.where(ended.any(0), ended.argmax(0) + 1, max_steps)
        films = []
        for match, steps in enumerate(length):
            arrays = jax.tree.map(lambda x, m=match, n=steps + 1: x[:n, m], states)
            films.append(Film(time=np.arange(steps + 1) * self.arena.control_dt, **arrays))
        return films

    def _local_film(self, stacks, slot: jax.Array, key: chex.PRNGKey, max_steps: int):
        """Returns `Film`'s arrays but `time`, `[max_steps + 1, M, ...]`, and where a match ended `[max_steps, M]`."""
        key, k_reset = jax.random.split(key)
        batch = self._batch(slot.shape[0])

        def shown(state, seen, action):
            nothing = jnp.zeros((slot.shape[0], 0))
            without = PhysicsState(nothing, nothing, nothing, nothing, nothing)  # of a game that has no MuJoCo
            physics = state.physics if isinstance(state.physics, PhysicsState) else without
            clipped = jnp.clip(action, -1, 1) if isinstance(self.arena.action, Box) else action
            return {
                "qpos": jax.vmap(self.arena.pose)(state),
                "qvel": physics.qvel,
                "act": physics.act,
                "qacc_warmstart": physics.warmstart,
                "ctrl": jax.vmap(self.arena.controls)(state, clipped),
                "reward": seen.reward,
                "metrics": seen.metrics,
            }

        def step(carry, key):
            state, seen = carry
            action = self._act(stacks, slot, seen.observation, seen.action_mask, key)
            after = batch.step_without_reset(state, action)
            return after, (shown(state, seen, action), after[1].terminated | after[1].truncated)

        start = batch.reset(k_reset, slot.shape[0])
        last, (states, ended) = jax.lax.scan(step, start, jax.random.split(key, max_steps))
        final = shown(
            *last, self._act(stacks, slot, last[1].observation, last[1].action_mask, jax.random.fold_in(key, max_steps))
        )
        return jax.tree.map(lambda x, y: jnp.concatenate([x, y[None]]), states, final), ended

    def _batch(self, num_matches: int) -> BatchedArena:
        """Builds the batch for `num_matches` side by side on one device."""
        return BatchedArena(self.arena, devices.safe_block_size(num_matches, self.block_size))

    def _act(self, stacks, slot: jax.Array, observation: jax.Array, mask: jax.Array | None, key) -> jax.Array:
        """Returns actions `[N, A, ...]` of the players `slot` `[N, A]`."""
        rows = jax.tree.map(lambda x: x.reshape(slot.size, *x.shape[2:]), (observation, mask))
        slot, action, before = slot.reshape(slot.size), None, 0
        for policy, stack in zip(self.policies, stacks, strict=True):
            size = jax.tree.leaves(stack)[0].shape[0]
            own = jnp.clip(slot - before, 0, size - 1)  # rows of other stacks are computed too, and not used
            distribution = opponents.apply_by_tiles(
                lambda member, row, policy=policy: policy.distribution(member, *row), stack, own, rows, self.tile_rows
            )
            acted = distribution.sample(key) if self.sampled else distribution.mode()
            own_rows = (slot >= before).reshape(slot.size, *[1] * (acted.ndim - 1))
            action, before = acted if action is None else jnp.where(own_rows, acted, action), before + size
        assert action is not None
        return action.reshape(observation.shape[:2] + action.shape[1:])

    def _local_play(self, stacks, slot: jax.Array, key: chex.PRNGKey, repeats: int) -> Records:
        """Plays one device's part of the queue, `slot` `[M, A]`; every `repeats` matches share a start."""
        k_start, key = jax.random.split(jax.random.fold_in(key, jax.lax.axis_index(devices.AXIS)))
        total, agents = slot.shape
        num = min(total, _CPU_ARENAS if jax.default_backend() == "cpu" else _ARENAS)
        batch = self._batch(num)
        starts = self._starts(k_start, total // repeats)

        def start(match: jax.Array) -> tuple[ArenaState, TimeStep]:
            return jax.tree.map(lambda x: x[jnp.minimum(match, total - 1) // repeats], starts)

        def unfinished(carry):
            return (carry[1] < total).any()

        def step(carry):
            key, match, queued, state, seen, sums, records = carry
            key, k_act = jax.random.split(key)
            observation, mask = seen
            action = self._act(stacks, slot[jnp.minimum(match, total - 1)], observation, mask, k_act)

            def following(ended):
                """Returns each arena's match after this step `[N]`; `total` means none: the queue is empty."""
                place = jnp.minimum(queued + jnp.cumsum(ended) - 1, total)
                return jnp.where(ended & (match < total), place, match).astype(jnp.int32)

            before = state.step_count
            state, transition = batch.step_into(state, action, lambda _, ended: start(following(ended)))
            timestep = transition.timestep
            sums = jax.tree.map(jnp.add, sums, (timestep.reward, timestep.metrics))
            new = Records(
                outcome=timestep.outcome,
                terminated=timestep.terminated,
                length=before + 1,
                rated=timestep.rated,
                valid=~transition.broken,
                returns=sums[0],
                metrics={
                    name: timestep.metrics[name] if name.startswith("last/") else total / (before + 1)
                    for name, total in sums[1].items()
                },
            )
            place = jnp.where(transition.ended, match, total)  # index `total` is past the end, so it is dropped
            records = jax.tree.map(lambda old, new: old.at[place].set(new, mode="drop"), records, new)
            now_queued = jnp.minimum(queued + transition.ended.sum(), total)
            seen = transition.observation, transition.action_mask
            sums = jax.tree.map(lambda x: where(transition.ended, jnp.zeros_like(x), x), sums)
            return key, following(transition.ended), now_queued, state, seen, sums, records

        match = jnp.arange(num, dtype=jnp.int32)
        state, first = start(match)
        sums = jax.tree.map(jnp.zeros_like, (first.reward, first.metrics))
        no, per_agent = jnp.zeros(total, bool), jnp.zeros((total, agents))
        means = {name: jnp.zeros(total) for name in first.metrics}
        records = Records(per_agent, no, jnp.zeros(total, jnp.int32), no, no, per_agent, means)
        carry = (key, match, jnp.int32(num), state, (first.observation, first.action_mask), sums, records)
        return jax.lax.while_loop(unfinished, step, carry)[-1]

    def _starts(self, key: chex.PRNGKey, count: int) -> tuple[ArenaState, TimeStep]:
        """Returns at least `count` fresh starts: so many that they fill whole blocks."""
        if count > devices.MAX_CPU_BLOCK:
            count = -(-count // devices.MAX_CPU_BLOCK) * devices.MAX_CPU_BLOCK
        return self._batch(count).reset(key, count)


def stack(policies: Sequence[PolicyState]) -> PolicyState:
    """Stacks policies of one architecture to `[K, ...]`, for an `Evaluator`."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *policies)
