"""The self-play iteration: one jitted function `RunState -> (RunState, metrics)`, sharded over the axis `arena`.

Arena states are split over the devices; the learners and the pool are replicated. In an iteration each learner of the
league makes a bank of fresh starts, plays a rollout in its own arenas and is updated; then results are recorded and
snapshots that are due join the pool.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from league import pool as pools
from league.matches import Matches, MatchRunner, StepStatistics
from league.metrics import of_iteration
from league.phases import Phases, PhaseState
from league.pool import Pool
from league.roles import ROLES
from league.settings import RunSettings
from league.split import num_mirror
from mjx_arena import devices, registry
from mjx_arena.batch import BatchedArena
from mjx_arena.types import ArenaState, Progress, TimeStep
from ppo import rollout
from ppo.policy import Policy, PolicyState
from ppo.rollout import Trajectory
from ppo.update import NONFINITE, Learner, LearnerState


class RunState(struct.PyTreeNode):
    """The whole state of a run: one that is restored continues bit for bit. R learners, one for each role."""

    iteration: jax.Array  # [] int32 iterations done
    key: chex.PRNGKey
    learner: LearnerState  # [R, ...]
    pool: Pool
    matches: Matches  # [R, ...], sharded over devices
    phase: PhaseState


_SPLIT: Any = P(None, devices.AXIS)
# How a RunState lies on the devices: leaves of `matches` are split along their second axis, all else is replicated.
_EVERYWHERE: Any = P()
RUN_STATE_SPEC = RunState(
    iteration=_EVERYWHERE,
    key=_EVERYWHERE,
    learner=_EVERYWHERE,
    pool=_EVERYWHERE,
    matches=_SPLIT,
    phase=_EVERYWHERE,
)
_IDLE = 1  # slot of the member that does nothing, right after the untrained policy
_BANK_SHARE = 4  # arenas for each fresh start; an iteration seldom ends more matches than there are starts
_SMALLEST_BANK = 64  # fresh starts at least, if there are as many arenas: few starts would be used too often


class SelfPlay:
    """Builds the arena, the policy and the mesh that `settings` describe. Nothing is compiled before `init`."""

    def __init__(self, settings: RunSettings):
        self.settings = settings
        self.arena = registry.build(settings.task, settings.physics)
        self.mesh = devices.make_mesh(settings.devices)
        self.arenas_per_device = settings.num_arenas // self.mesh.size
        self.num_mirror = num_mirror(self.arenas_per_device, settings.league.mirror_fraction, self.arena.num_agents)
        block = devices.safe_block_size(self.arenas_per_device, settings.physics.wanted_block)
        self.batch = BatchedArena(self.arena, block)
        self.phases = Phases(settings.task.phases, settings.arena_steps_per_iteration)
        self.policy = Policy(self.arena.observation_size, self.arena.action, settings.ppo)
        self.learner = Learner(self.policy, settings.ppo, devices.AXIS, self.arena.symmetry)
        self._init = jax.jit(self.shard(self._local_init, (P(), P()), RUN_STATE_SPEC))
        self._iterate = jax.jit(
            self.shard(self._local_iterate, (RUN_STATE_SPEC, P()), (RUN_STATE_SPEC, P())), donate_argnums=0
        )

    @functools.cached_property
    def shapes(self) -> tuple[ArenaState, TimeStep]:
        """Returns the shapes of one match's state and time step."""
        return jax.eval_shape(self.arena.reset, jax.random.key(0))

    def init(self, members: Sequence[tuple[PolicyState, bool]] = ()) -> RunState:
        """Returns the state before the first iteration; the pool's first member is the untrained policy.

        `members` join the pool as (policy, whether it is an anchor), after the idle member if the settings ask for it.
        Raises SettingError where a phase waits for a metric that does not exist.
        """
        self._check_metrics()
        idle = [(self.policy.constant(self.arena.idle_action), True)] if self.settings.league.idle else []
        state = self._init(np.uint32(self.settings.seed), np.int32((self.settings.phase or 1) - 1))
        for policy, anchor in (*idle, *members):
            add = functools.partial(pools.add, settings=self.settings.league, anchor=anchor)
            add = jax.jit(add, out_shardings=NamedSharding(self.mesh, P()))
            state = state.replace(pool=add(state.pool, jax.device_get(policy), np.int32(0)))
        return state

    def in_phase(self, state: RunState, phase: int) -> RunState:
        """Returns `state` at the start of a phase, counted from 1."""
        fresh = devices.replicated(self.phases.begin(phase - 1), self.mesh)
        return state.replace(phase=fresh, learner=self._at_start(state.learner, fresh.phase))

    def _at_start(self, learner: LearnerState, phase: jax.Array) -> LearnerState:
        """Returns learners `[R, ...]` with the learning rate that a phase begins with."""
        rate = self.phases.learning_rate(phase)
        return learner.replace(learning_rate=jnp.where(jnp.isnan(rate), learner.learning_rate, rate))

    def with_learning_rate(self, state: RunState, rate: float) -> RunState:
        """Returns `state` whose learners go on with another learning rate."""
        rates = jnp.full_like(state.learner.learning_rate, rate)
        learner = state.learner.replace(learning_rate=devices.replicated(rates, self.mesh))
        return state.replace(learner=learner)

    def _check_metrics(self) -> None:
        """Raises SettingError where a phase waits for a metric that does not exist: by tracing, before compilation."""
        if any(phase.metric for phase in self.phases.each):
            self._iterate.trace(self.state_shape(), self._length)

    def iterate(self, state: RunState) -> tuple[RunState, dict[str, Any]]:
        """Runs one iteration. Returns the state, and metrics `{name: []}` with `film`, see `league.run.video`.

        The buffers of the argument `state` are donated: it cannot be used again.
        """
        return self._iterate(state, self._length)

    def compile(self, state: RunState) -> Callable[[RunState], tuple[RunState, dict[str, Any]]]:
        """Returns `iterate`, compiled for states like this one."""
        compiled = self._iterate.lower(state, self._length).compile()
        return lambda state: compiled(state, self._length)

    @property
    def _length(self) -> np.int32:
        """Returns the iterations of the run: an argument of the program, so a longer run needs no other program."""
        return np.int32(self.settings.iterations)

    def state_shape(self) -> RunState:
        """Returns shapes, dtypes and shardings of a `RunState` without computing one: the target of a restore."""
        shapes = jax.eval_shape(self._init, np.uint32(0), np.int32(0))
        shardings = jax.tree.map(
            lambda spec, tree: jax.tree.map(lambda _: NamedSharding(self.mesh, spec), tree),
            RUN_STATE_SPEC,
            shapes,
            is_leaf=lambda x: isinstance(x, P),
        )
        return jax.tree.map(
            lambda shape, sharding: jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding), shapes, shardings
        )

    def shard(self, function: Callable, in_specs: Any, out_specs: Any) -> Callable:
        """Returns `function`, which computes one device's part, mapped over the whole mesh."""
        return jax.shard_map(function, mesh=self.mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False)

    def _runner(self, pool: Pool, probability: jax.Array, key: chex.PRNGKey, progress: Progress) -> MatchRunner:
        bank = self.batch.make_bank(key, self.bank_size, progress)
        tile_rows = self.settings.league.tile_rows
        steps = self.settings.logger.dump_steps
        return MatchRunner(self.batch, self.policy, self.num_mirror, tile_rows, pool, probability, bank, steps)

    @property
    def bank_size(self) -> int:
        """Returns the number of fresh starts in each device's bank: whole blocks, or less than one block."""
        arenas, block = self.arenas_per_device, self.batch.block_size
        wanted = max(arenas // _BANK_SHARE, min(arenas, _SMALLEST_BANK))
        return wanted // block * block or wanted

    def probability(self, pool: Pool, phase: jax.Array) -> jax.Array:
        """Returns the probability `[R, K]` with which each learner draws each member in `phase`, counted from 0."""
        league = self.settings.league
        by_role = [ROLES[name].matchmaker(pool, pool.record(role), league) for role, name in enumerate(league.roles)]
        idle = jax.nn.one_hot(_IDLE, league.player_pool_length)
        return jnp.where(self.phases.plays_pool(phase), jnp.stack(by_role), idle)

    def _local_init(self, seed: jax.Array, first_phase: jax.Array) -> RunState:
        league = self.settings.league
        key, k_learner, k_matches = jax.random.split(jax.random.key(seed), 3)
        # In turn: batched linear algebra on several CPU devices can wait for ever, as `devices.MAX_CPU_BLOCK` has it.
        learner = _for_each(self.learner.init, jax.random.split(k_learner, len(league.roles)))
        pool = pools.create(first_learner(learner).policy, league, self.arena.num_sides)
        phase = self.phases.begin(first_phase)
        learner = self._at_start(learner, phase.phase)

        def start(probability, key):
            k_bank, k_start = jax.random.split(_own_key(key))
            runner = self._runner(pool, probability, k_bank, Progress(jnp.float32(0), phase.phase))
            if not self.settings.randomize_initial_episode_length:
                return _with_device_axis(runner.start(k_start, self.arenas_per_device))
            # Not `fold_in`: `fold_in(key, i)` is `split(key)[i]`, and `start` splits the key that it gets.
            k_start, k_count = jax.random.split(k_start)
            matches = runner.start(k_start, self.arenas_per_device)
            count = jax.random.randint(k_count, (self.arenas_per_device,), 0, self.arena.time_limit)
            return _with_device_axis(matches.replace(arena=matches.arena.replace(step_count=count)))

        keys = jax.random.split(k_matches, len(league.roles))
        matches = _for_each(start, self.probability(pool, phase.phase), keys)
        return RunState(jnp.int32(0), key, learner, pool, matches, phase)

    def _local_iterate(self, state: RunState, length: jax.Array) -> tuple[RunState, dict[str, Any]]:
        league, num_roles = self.settings.league, len(self.settings.league.roles)
        key, k_roles, k_reset = jax.random.split(state.key, 3)
        progress = state.iteration / length
        probability = self.probability(state.pool, state.phase.phase)

        def play_and_learn(learner, matches, probability, key):
            k_rollout, k_update = jax.random.split(_own_key(key))
            matches, trajectory, steps = self.local_rollout(state, learner, matches, probability, k_rollout)
            rate = self.phases.schedule_from(state.phase.phase, self.settings.ppo.learning_rate)
            learner, metrics = self.learner.update(learner, trajectory, k_update, progress, rate)
            sums = jax.tree.map(lambda x: x.sum(0), steps.replace(frame=None))
            return learner, matches, sums, steps.frame, metrics

        def take_turn(plays, learner, matches, *others):
            play = functools.partial(play_and_learn, learner, matches, *others)
            if league.exploiter_interval == 1:  # all always play; a branch would hide that from the compiler
                return play()
            return jax.lax.cond(plays, play, lambda: (learner, matches, *_nothing(jax.eval_shape(play)[2:])))

        intervals = np.array([ROLES[name].interval(league) for name in league.roles])
        plays = (state.iteration - np.arange(num_roles)) % intervals == 0
        learner, matches, steps, frames, metrics = _for_each(
            take_turn, plays, state.learner, state.matches, probability, jax.random.split(k_roles, num_roles)
        )
        on_first = jax.lax.axis_index(devices.AXIS) == 0
        frame = jax.tree.map(lambda x: jnp.where(on_first, x, 0), first_learner(frames))
        seats = jnp.zeros(state.pool.occupied.shape, jnp.int32).at[matches.slot].add(1)
        nonfinite = None if matches.history is None else matches.history.nonfinite
        totals, film, in_play, nonfinite = devices.summed((steps, frame, seats, nonfinite))
        pool = pools.recorded(state.pool, totals.results, probability, league, totals.by_side)
        counts = {name: count.sum() for name, count in metrics.items() if name.startswith(NONFINITE)}
        if matches.history is not None:
            names = (f"{NONFINITE}{name}" for name in matches.history.names)
            counts |= zip(names, nonfinite.sum((0, 1)), strict=True)
        per_step = self.mesh.size * self.settings.ppo.horizon
        metrics = of_iteration(metrics, totals, pool, league.roles, per_step, self.arena.names_of_sides) | counts
        metrics["phase"] = state.phase.phase + 1
        phase = self.phases.after(state.phase, metrics)
        moved = self._at_start(learner, phase.phase).learning_rate
        same = phase.phase == state.phase.phase
        learner = learner.replace(learning_rate=jnp.where(same, learner.learning_rate, moved))
        metrics["film"] = {"pose": film.pose, "ended": film.ended}
        iteration = state.iteration + 1
        for role in range(num_roles):
            k_reset, k_role = jax.random.split(k_reset)
            learner, pool = self._snapshot(learner, pool, role, iteration, in_play, k_role)
        return RunState(iteration, key, learner, pool, matches, phase), metrics

    def _snapshot(
        self, learner: LearnerState, pool: Pool, role: int, iteration: jax.Array, in_play: jax.Array, key: chex.PRNGKey
    ) -> tuple[LearnerState, Pool]:
        """Takes a snapshot of one learner if it is due and no match still plays the member that it would replace.

        Afterwards, with the role's `reset_share`, the learner is re-initialised. `in_play` `[K]` counts seats by slot.
        """
        league, rules = self.settings.league, ROLES[self.settings.league.roles[role]]
        own = replace(league, snapshot_interval=league.snapshot_interval * rules.interval(league))
        ready = rules.due(pool, pool.record(role), iteration, own) & (in_play[pool.next] == 0)
        policy = jax.tree.map(lambda x: x[role], learner.policy)
        pool = jax.lax.cond(ready, lambda: pools.add(pool, policy, iteration, league, role), lambda: pool)
        if rules.reset_share(league) == 0:
            return learner, pool
        k_share, k_learner = jax.random.split(key)
        resets = ready & (jax.random.uniform(k_share) < rules.reset_share(league))
        fresh = self.learner.init(k_learner)
        learner = jax.tree.map(lambda x, new: x.at[role].set(jnp.where(resets, new, x[role])), learner, fresh)
        return learner, jax.lax.cond(resets, lambda: pools.forgotten(pool, role), lambda: pool)

    def local_rollout(
        self, state: RunState, learner: LearnerState, matches: Matches, probability: jax.Array, key: chex.PRNGKey
    ) -> tuple[Matches, Trajectory, StepStatistics]:
        """Plays one device's part of a learner's rollout; returns matches, trajectory, and statistics `[T, ...]`."""
        k_bank, k_play = jax.random.split(key)
        played = state.iteration.astype(jnp.float32) * self.settings.arena_steps_per_iteration
        progress = Progress(played, state.phase.phase)
        runner = self._runner(state.pool, probability, k_bank, progress)
        matches = _without_device_axis(matches)
        matches = matches.replace(arena=self.batch.progressed(matches.arena, progress))
        if matches.history is not None:
            matches = matches.replace(history=matches.history.at(state.iteration + 1))
        matches, trajectory, steps = rollout.collect(
            runner, self.policy, learner.policy, matches, k_play, self.settings.ppo.horizon
        )
        return _with_device_axis(matches), trajectory, steps


def first_learner(stacked: Any) -> Any:
    """Returns the part of the first learner of a pytree with leaves `[R, ...]`."""
    return jax.tree.map(lambda x: x[0], stacked)


def _for_each(function: Callable, *arguments: Any) -> Any:
    """Applies `function` to each learner's part of `arguments` `[R, ...]`, in turn; returns its results `[R, ...]`.

    In turn, since matrix products with a batch axis are slow on a CPU, and one rollout fills a GPU.
    """
    if jax.tree.leaves(arguments)[0].shape[0] == 1:  # a loop would hide the body from the compiler
        return jax.tree.map(lambda x: x[None], function(*first_learner(arguments)))
    return jax.lax.map(lambda parts: function(*parts), arguments)


def _nothing(shapes: Any) -> Any:
    """Returns what a learner reports that does not play: counts of 0 and, for what then has no value, NaN."""
    steps, frame, metrics = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    lacking = {name: x + jnp.nan for name, x in metrics.items() if jnp.issubdtype(x.dtype, jnp.floating)}
    return steps, frame, metrics | lacking


def _own_key(key: chex.PRNGKey) -> chex.PRNGKey:
    """Returns a key for this device alone."""
    return jax.random.fold_in(key, jax.lax.axis_index(devices.AXIS))


def _with_device_axis(matches: Matches) -> Matches:
    """Adds an axis of length 1 to the leaves of `history`, so that all leaves can be split over devices."""
    return matches.replace(history=jax.tree.map(lambda x: x[None], matches.history))


def _without_device_axis(matches: Matches) -> Matches:
    return matches.replace(history=jax.tree.map(lambda x: x[0], matches.history))


def lasting(state: RunState) -> RunState:
    """Returns the part of a state, or of its shapes, that checkpoints hold: all but the history of its matches."""
    return state.replace(matches=state.matches.replace(history=None))
