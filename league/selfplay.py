"""The self-play iteration: one jitted function `RunState -> (RunState, metrics)`, sharded over the axis `arena`.

Arena states are split over the devices; the learner and the pool are replicated. An iteration makes a bank of fresh
starts, plays a rollout, updates the learner, records results and, when one is due, adds a snapshot to the pool.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from league import matchmaking
from league import pool as pools
from league.config import RunSettings
from league.matches import Matches, MatchRunner, StepStatistics
from league.pool import Pool
from mjx_arena import devices, tasks
from mjx_arena.batch import BatchedArena
from ppo import rollout
from ppo.policy import Policy
from ppo.rollout import Trajectory
from ppo.update import Learner, LearnerState


class RunState(struct.PyTreeNode):
    """Everything a run is: restoring it continues bit for bit."""

    iteration: jax.Array  # [] int32 iterations done
    key: chex.PRNGKey
    learner: LearnerState
    pool: Pool
    matches: Matches  # sharded over devices


_SPLIT = P(devices.AXIS)
# How a RunState lies on the devices: leaves of `matches` are split along their first axis, all else is replicated.
RUN_STATE_SPEC = RunState(iteration=P(), key=P(), learner=P(), pool=P(), matches=_SPLIT)  # type: ignore[arg-type]
_BANK_SHARE = 4  # one fresh start for every so many arenas; an iteration seldom ends more matches than that
_SMALLEST_BANK = 64  # or as many as there are arenas: fewer would hardly differ from one another


class SelfPlay:
    """Builds the arena, the policy and the mesh that `settings` describe. Nothing is compiled before `init`."""

    def __init__(self, settings: RunSettings):
        self.settings = settings
        self.arena = tasks.build(settings.task, settings.physics)
        self.mesh = devices.make_mesh(settings.devices)
        self.arenas_per_device = settings.num_arenas // self.mesh.size
        self.num_mirror = round(self.arenas_per_device * settings.league.mirror_fraction)
        if self.arena.num_agents == 1:
            self.num_mirror = self.arenas_per_device
        block = devices.safe_block_size(self.arenas_per_device, settings.physics.wanted_block)
        self.batch = BatchedArena(self.arena, block)
        self.policy = Policy(self.arena.observation_size, self.arena.action, settings.ppo)
        self.learner = Learner(self.policy, settings.ppo, devices.AXIS)
        self._init = jax.jit(self.shard(self._local_init, P(), RUN_STATE_SPEC))
        self._iterate = jax.jit(
            self.shard(self._local_iterate, (RUN_STATE_SPEC, P()), (RUN_STATE_SPEC, P())), donate_argnums=0
        )

    def init(self) -> RunState:
        """The state before the first iteration. The pool's first member is the untrained policy."""
        return self._init(jax.random.key(self.settings.seed))

    def iterate(self, state: RunState) -> tuple[RunState, dict[str, jax.Array]]:
        """One iteration, with its metrics `{name: []}`. Gives up `state`."""
        return self._iterate(state, self._length)

    def compile(self, state: RunState) -> Callable[[RunState], tuple[RunState, dict[str, jax.Array]]]:
        """`iterate`, compiled for states like this one."""
        compiled = self._iterate.lower(state, self._length).compile()
        return lambda state: compiled(state, self._length)

    @property
    def _length(self) -> np.int32:
        """Iterations of the run; an argument of the program, so that a run may go on for longer without another one."""
        return np.int32(self.settings.iterations)

    def state_shape(self) -> RunState:
        """Shapes, dtypes and shardings of a `RunState`, without computing one: the target of a restore."""
        shapes = jax.eval_shape(self._init, jax.random.key(0))
        shardings = jax.tree.map(
            lambda spec, tree: jax.tree.map(lambda _: NamedSharding(self.mesh, spec), tree),
            RUN_STATE_SPEC,
            shapes,
            is_leaf=lambda x: isinstance(x, P),
        )
        return jax.tree.map(
            lambda shape, sharding: jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding), shapes, shardings
        )

    def dump_nonfinite(self, state: RunState, path: Path) -> None:
        """Writes the last non-finite arena of each device, as it was one step before, to `path` (`.npz`)."""
        broken = jax.device_get(state.matches.broken)
        np.savez(
            path,
            seen=broken.seen,
            qpos=broken.physics.qpos,
            qvel=broken.physics.qvel,
            warmstart=broken.physics.warmstart,
            action=broken.action,
        )

    def shard(self, function: Callable, in_specs: Any, out_specs: Any) -> Callable:
        """`function` of one device's part, over the whole mesh."""
        return jax.shard_map(function, mesh=self.mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)

    def _runner(self, pool: Pool, key: chex.PRNGKey, arena_steps: jax.Array) -> MatchRunner:
        bank = self.batch.make_bank(key, self.bank_size)
        bank = bank.replace(state=self.batch.progressed(bank.state, arena_steps))
        return MatchRunner(self.batch, self.policy, self.settings.league, self.num_mirror, pool, bank)

    @property
    def bank_size(self) -> int:
        """Fresh starts for each device: whole blocks, or part of one."""
        arenas, block = self.arenas_per_device, self.batch.block_size
        wanted = max(arenas // _BANK_SHARE, min(arenas, _SMALLEST_BANK))
        return wanted // block * block or wanted

    def _local_init(self, key: chex.PRNGKey) -> RunState:
        key, k_learner, k_matches = jax.random.split(key, 3)
        learner = self.learner.init(k_learner)
        pool = pools.create(learner.policy, self.settings.league)
        k_bank, k_start = jax.random.split(_own_key(k_matches))
        matches = self._runner(pool, k_bank, jnp.float32(0)).start(k_start, self.arenas_per_device)
        return RunState(jnp.int32(0), key, learner, pool, _with_device_axis(matches))

    def _local_iterate(self, state: RunState, length: jax.Array) -> tuple[RunState, dict[str, jax.Array]]:
        s = self.settings
        key, k_device = jax.random.split(state.key)
        k_rollout, k_update = jax.random.split(_own_key(k_device))
        matches, trajectory, steps = self.local_rollout(state, k_rollout)
        progress = state.iteration / length
        learner, metrics = self.learner.update(state.learner, trajectory, k_update, progress)

        totals = jax.tree.map(lambda x: jax.lax.psum(x.sum(0), devices.AXIS), steps)
        drawn_with = matchmaking.MATCHMAKERS[s.league.matchmaker](state.pool, s.league)
        pool = pools.recorded(state.pool, totals.results, drawn_with, s.league)
        iteration = state.iteration + 1
        metrics |= self._match_metrics(totals, pool)
        in_play = jax.lax.psum(jnp.zeros(pool.occupied.shape, jnp.int32).at[matches.slot].add(1), devices.AXIS)
        ready = pools.due(pool, iteration, s.league) & (in_play[pool.next] == 0)
        pool = jax.lax.cond(ready, lambda: pools.add(pool, learner.policy, iteration, s.league), lambda: pool)
        return RunState(iteration, key, learner, pool, matches), metrics

    def local_rollout(self, state: RunState, key: chex.PRNGKey) -> tuple[Matches, Trajectory, StepStatistics]:
        """One device's part of a rollout: the matches afterwards, the trajectory of its rows, statistics by step."""
        k_bank, k_play = jax.random.split(key)
        played = state.iteration.astype(jnp.float32) * self.settings.arena_steps_per_iteration
        runner = self._runner(state.pool, k_bank, played)
        matches = _without_device_axis(state.matches)
        matches = matches.replace(arena=self.batch.progressed(matches.arena, played))
        matches, trajectory, steps = rollout.collect(
            runner, self.policy, state.learner.policy, matches, k_play, self.settings.ppo.horizon
        )
        return _with_device_axis(matches), trajectory, steps

    def _match_metrics(self, totals: StepStatistics, pool: Pool) -> dict[str, jax.Array]:
        """Totals are sums over devices and steps. Rates of nothing are NaN, which the writers leave out."""
        per_step = self.mesh.size * self.settings.ppo.horizon
        ended = totals.matches + totals.exercises
        wins, draws, losses = totals.results.sum(0)
        games = wins + draws + losses
        played = pool.occupied & (pool.results.decayed.sum(1) > 0)
        return {
            "reward": totals.reward / per_step,
            "episode_return": totals.returns / ended,
            "match_length": totals.match_steps / ended,
            "matches": totals.matches,
            "draw_rate": totals.draws / totals.matches,
            "exercise_survival": totals.exercise_survivals / totals.exercises,
            "league/games": games,
            "league/win_rate": (wins + draws / 2) / games,
            "league/win_rate_pool": jnp.sum(pool.results.win_rate() * played) / played.sum(),
            "league/members": pool.occupied.sum(),
            "league/elo": pool.learner_elo,
            "nonfinite_arenas": totals.broken,
        } | {name: value / per_step for name, value in totals.metrics.items()}


def _own_key(key: chex.PRNGKey) -> chex.PRNGKey:
    """This device's key."""
    return jax.random.fold_in(key, jax.lax.axis_index(devices.AXIS))


def _with_device_axis(matches: Matches) -> Matches:
    """Gives leaves without an arena axis, those of `broken`, one of length 1, so that all can be split over devices."""
    return matches.replace(broken=jax.tree.map(lambda x: x[None], matches.broken))


def _without_device_axis(matches: Matches) -> Matches:
    return matches.replace(broken=jax.tree.map(lambda x: x[0], matches.broken))
