"""Fresh matches between frozen policies, each played from its first step to its end."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from flax import struct
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from league import opponents
from mjx_arena import devices
from mjx_arena.batch import BatchedArena, where
from mjx_arena.types import Arena
from ppo.policy import Policy, PolicyState


class Records(struct.PyTreeNode):
    """N finished matches."""

    outcome: jax.Array  # [N, A]
    terminated: jax.Array  # [N] bool: decided, not ended by the time limit
    length: jax.Array  # [N] int32 control steps


class Score(NamedTuple):
    """Of one policy in one pairing, as shares of its matches, or of its decided ones."""

    matches: int
    wins: float
    draws: float
    losses: float
    wins_of_decided: float
    survival: float  # share that the time limit ended
    mean_length: float  # control steps


class Evaluator:
    """Plays matches of one arena on all devices of `mesh`, with opponents by index out of a stack of policies."""

    def __init__(
        self,
        arena: Arena,
        policy: Policy,
        mesh: Mesh,
        num_matches: int,
        block_size: int,
        sampled: bool,
        tile_rows: int = 32,
    ):
        self.arena, self.policy, self.mesh = arena, policy, mesh
        self.sampled, self.tile_rows = sampled, tile_rows
        self.per_device = -(-num_matches // mesh.size)
        block = devices.safe_block_size(self.per_device, block_size)
        self.batch = BatchedArena(arena, block)
        split = P(devices.AXIS)
        self._play = jax.jit(
            jax.shard_map(self._local_play, mesh=mesh, in_specs=(P(), split, P()), out_specs=split, check_vma=False)
        )

    def play(self, members: PolicyState, slot: jax.Array, key: chex.PRNGKey) -> Records:
        """One match for each row of `slot` `[N, A]`: who of `members` `[K, ...]` sits in each seat."""
        return self._play(members, slot, key)

    def duel(self, first: PolicyState, second: PolicyState, key: chex.PRNGKey) -> tuple[Score, Records]:
        """`first` in a random seat of every match, `second` in the others. The score is that of `first`."""
        k_seat, k_play = jax.random.split(key)
        total = self.per_device * self.mesh.size
        seat = jax.random.randint(k_seat, (total,), 0, self.arena.num_agents)
        slot = (jnp.arange(self.arena.num_agents) != seat[:, None]).astype(jnp.int32)
        records = self.play(jax.tree.map(lambda *x: jnp.stack(x), first, second), slot, k_play)
        own = jnp.take_along_axis(records.outcome, seat[:, None], 1)[:, 0]
        return score(own, records), records

    def _local_play(self, members: PolicyState, slot: jax.Array, key: chex.PRNGKey) -> Records:
        key = jax.random.fold_in(key, jax.lax.axis_index(devices.AXIS))
        key, k_reset = jax.random.split(key)
        num, agents = slot.shape
        state, first = self.batch.reset(k_reset, num)
        records = Records(jnp.zeros((num, agents)), jnp.zeros(num, bool), jnp.zeros(num, jnp.int32))

        def unfinished(carry):
            return (carry[3].length == 0).any()

        def step(carry):
            key, state, seen, records = carry
            key, k_act = jax.random.split(key)
            mask = seen.action_mask
            rows = (seen.observation, mask)
            rows = jax.tree.map(lambda x: x.reshape(num * agents, *x.shape[2:]), rows)
            distribution = opponents.apply_by_tiles(
                lambda member, row: self.policy.distribution(member, *row),
                members, slot.reshape(-1), rows, self.tile_rows,
            )  # fmt: skip
            action = distribution.sample(k_act) if self.sampled else distribution.mode()
            state, seen = self.batch.step_without_reset(state, action.reshape(num, agents, *action.shape[1:]))
            ending = (seen.terminated | seen.truncated) & (records.length == 0)
            new = Records(seen.outcome, seen.terminated, state.step_count)
            return key, state, seen, jax.tree.map(lambda new, old: where(ending, new, old), new, records)

        return jax.lax.while_loop(unfinished, step, (key, state, first, records))[3]


def score(own: jax.Array, records: Records) -> Score:
    """Score of the player whose outcomes are `own` `[N]`."""
    wins, losses = float((own > 0).mean()), float((own < 0).mean())
    decided = wins + losses
    return Score(
        matches=own.shape[0],
        wins=wins,
        draws=1 - decided,
        losses=losses,
        wins_of_decided=wins / decided if decided else float("nan"),
        survival=float(1 - records.terminated.mean()),
        mean_length=float(records.length.mean()),
    )
