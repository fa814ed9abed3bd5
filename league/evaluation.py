"""Fresh matches between frozen policies, each played from its first step to its end."""

import dataclasses
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from league import opponents
from league.config import Pairing, RunSettings
from league.selfplay import SelfPlay
from mjx_arena import devices, tasks
from mjx_arena.batch import BatchedArena, where
from mjx_arena.settings import require
from mjx_arena.types import Arena, TimeStep
from ppo.checkpoints import Checkpoints
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
        block_size: int | None,
        sampled: bool,
        tile_rows: int = 32,
    ):
        self.arena, self.policy, self.mesh = arena, policy, mesh
        self.sampled, self.tile_rows = sampled, tile_rows
        self.per_device = -(-num_matches // mesh.size)
        self.block_size = block_size
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
        seat = jax.random.randint(k_seat, (self.per_device * self.mesh.size,), 0, self.arena.num_agents)
        slot = (jnp.arange(self.arena.num_agents) != seat[:, None]).astype(jnp.int32)
        records = self.play(stack(first, second), slot, k_play)
        own = jnp.take_along_axis(records.outcome, seat[:, None], 1)[:, 0]
        return score(own, records), records

    def film(self, members: PolicyState, slot: jax.Array, key: chex.PRNGKey, max_steps: int) -> list[np.ndarray]:
        """Poses `[T, nq]` of each of N matches, T `max_steps` at most, on one device; other arguments as in `play`."""

        batch = self._batch(slot.shape[0])

        def frames(members, slot, key):
            key, k_reset = jax.random.split(key)
            state, seen = batch.reset(k_reset, slot.shape[0])

            def step(carry, key):
                state, seen = carry
                state, seen = batch.step_without_reset(state, self._act(members, slot, seen, key))
                return (state, seen), (state.physics.qpos, seen.terminated | seen.truncated)

            return jax.lax.scan(step, (state, seen), jax.random.split(key, max_steps))[1]

        poses, ended = jax.device_get(jax.jit(frames)(members, slot, key))
        length = np.where(ended.any(0), ended.argmax(0) + 1, max_steps)
        return [poses[:steps, match] for match, steps in enumerate(length)]

    def _batch(self, num_matches: int) -> BatchedArena:
        """Of as many matches as one device plays."""
        return BatchedArena(self.arena, devices.safe_block_size(num_matches, self.block_size))

    def _act(self, members: PolicyState, slot: jax.Array, seen: TimeStep, key: chex.PRNGKey) -> jax.Array:
        """Actions `[N, A, ...]` of whoever sits in each seat."""
        rows = jax.tree.map(lambda x: x.reshape(slot.size, *x.shape[2:]), (seen.observation, seen.action_mask))
        distribution = opponents.apply_by_tiles(
            lambda member, row: self.policy.distribution(member, *row), members, slot.reshape(-1), rows, self.tile_rows
        )
        action = distribution.sample(key) if self.sampled else distribution.mode()
        return action.reshape(*slot.shape, *action.shape[1:])

    def _local_play(self, members: PolicyState, slot: jax.Array, key: chex.PRNGKey) -> Records:
        key = jax.random.fold_in(key, jax.lax.axis_index(devices.AXIS))
        key, k_reset = jax.random.split(key)
        num, agents = slot.shape
        batch = self._batch(num)
        state, first = batch.reset(k_reset, num)
        records = Records(jnp.zeros((num, agents)), jnp.zeros(num, bool), jnp.zeros(num, jnp.int32))

        def unfinished(carry):
            return (carry[3].length == 0).any()

        def step(carry):
            key, state, seen, records = carry
            key, k_act = jax.random.split(key)
            state, seen = batch.step_without_reset(state, self._act(members, slot, seen, k_act))
            ending = (seen.terminated | seen.truncated) & (records.length == 0)
            new = Records(seen.outcome, seen.terminated, state.step_count)
            return key, state, seen, jax.tree.map(lambda new, old: where(ending, new, old), new, records)

        return jax.lax.while_loop(unfinished, step, (key, state, first, records))[3]


def stack(*policies: PolicyState) -> PolicyState:
    """Members `[K, ...]` for an `Evaluator`."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *policies)


def score(own: jax.Array, records: Records) -> Score:
    """Score of the player whose outcomes are `own` `[N]`."""
    wins, losses = float((own > 0).mean()), float((own < 0).mean())
    decided = wins + losses
    return Score(
        matches=own.shape[0],
        wins=wins,
        draws=float((own == 0).mean()),
        losses=losses,
        wins_of_decided=wins / decided if decided else float("nan"),
        survival=float(1 - records.terminated.mean()),
        mean_length=float(records.length.mean()),
    )


class Evaluation:
    """A run's policy in pairings with others of the same run."""

    def __init__(
        self, settings: RunSettings, checkpoints: Checkpoints, step: int | None, num_matches: int, sampled: bool
    ):
        self.settings, self.checkpoints, self.num_matches, self.sampled = settings, checkpoints, num_matches, sampled
        self._trainer = SelfPlay(settings)
        self._evaluators: dict[Any, Evaluator] = {}
        self.iteration = step if step is not None else checkpoints.latest_step() or 0
        self.subject = self._restore(step)

    def play(self, pairing: Pairing, key: chex.PRNGKey) -> Score:
        """The subject's score. Raises SettingError for an opponent that is none."""
        evaluator = self._evaluator(pairing)
        subject, opponent = jax.device_put(
            (self.subject, self._member(pairing.opponent)), NamedSharding(evaluator.mesh, P())
        )
        return evaluator.duel(subject, opponent, key)[0]

    def film(self, pairing: Pairing, key: chex.PRNGKey) -> list[np.ndarray]:
        """Poses `[T, nq]` of matches with the subject in the first seat; arguments as in `play`."""
        slot = jnp.broadcast_to(
            jnp.minimum(jnp.arange(self.arena.num_agents), 1), (self.num_matches, self.arena.num_agents)
        )
        members = stack(self.subject, self._member(pairing.opponent))
        return self._evaluator(pairing).film(members, slot, key, self.settings.task.time_limit)

    @property
    def arena(self) -> Arena:
        """The run's own."""
        return self._trainer.arena

    def _member(self, opponent: str | float) -> PolicyState:
        if opponent == "self":
            return self.subject
        if opponent == "initial":
            return self._trainer.init().learner.policy
        require(isinstance(opponent, float), "opponent", opponent, "must be self, initial, or a share such as 0.1")
        wanted = float(opponent) * self.iteration
        return self._restore(min(self.checkpoints.steps(), key=lambda step: abs(step - wanted)))

    def _restore(self, step: int | None) -> PolicyState:
        """Of the state the policy alone: that of a run made before a change to the arena's memory still plays."""
        shape = self._trainer.state_shape().learner.policy
        return self.checkpoints.restore(shape, step, {"task": self.settings.task_name}, part="learner.policy")[0]

    def _evaluator(self, pairing: Pairing) -> Evaluator:
        """One program for each variant of the task on each engine."""
        physics = self.settings.physics if pairing.physics is None else pairing.physics
        variant = (tuple(sorted(pairing.task.items())), physics)
        if variant not in self._evaluators:
            arena = tasks.build(dataclasses.replace(self.settings.task, **pairing.task), physics)
            mesh = devices.make_mesh(1) if physics.on_host else self._trainer.mesh
            self._evaluators[variant] = Evaluator(
                arena, self._trainer.policy, mesh, self.num_matches, physics.wanted_block, self.sampled
            )
        return self._evaluators[variant]
