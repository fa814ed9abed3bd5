"""Measures how fast a run is and where its time goes. Figures are medians over rounds that time all parts in turn.

With several learners, rollout and update are those of the first. Units: a physics step is one engine step of one arena,
an arena step one control step of one arena, an agent step an arena step times its learning agents.
"""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from league import opponents
from league.selfplay import RUN_STATE_SPEC, RunState, SelfPlay, first_learner
from league.settings import RunSettings
from league.split import learner_rows
from mjx_arena import devices

_SPLIT = P(devices.AXIS)


@dataclass(frozen=True)
class Report:
    """Figures of a run's speed, in seconds and steps per second, and its memory."""

    compile_seconds: float  # of the training iteration
    physics_steps_per_second: float  # the engine alone, with random controls
    arena_steps_per_second: float  # with observations, rewards and resets, random actions
    arena_overhead: float  # time of an arena step divided by that of its physics, minus 1
    train_arena_steps_per_second: float  # the whole iteration
    train_agent_steps_per_second: float
    rollout_seconds: float  # of one iteration
    update_seconds: float  # of one iteration
    opponents_by_tiles_seconds: float  # actions of members for one row in each arena of a device
    opponents_per_row_seconds: float  # the same by `apply_per_row`
    peak_memory_bytes: int  # of the device that used most; of the process where devices do not count

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures by name."""
        return asdict(self)


def measure(settings: RunSettings, rounds: int, announce: Callable[[str], None]) -> Report:
    """Measures a run of `settings`; takes minutes on a CPU, most of it compilation."""
    trainer = SelfPlay(settings)
    state = trainer.init()
    horizon, arenas = settings.ppo.horizon, settings.num_arenas

    announce("compiling the training iteration")
    started = time.perf_counter()
    iterate = trainer.compile(state)
    compile_seconds = time.perf_counter() - started

    announce("compiling its parts")
    parts = _Parts(trainer, state)
    clocks: dict[str, list[float]] = {}

    def timed(name: str, function: Callable, *args: Any) -> Any:
        started = time.perf_counter()
        result = jax.block_until_ready(function(*args))
        clocks.setdefault(name, []).append(time.perf_counter() - started)
        return result

    key = jax.random.key(settings.seed)
    for index in range(rounds + 1):  # the first round warms up and is dropped
        announce(f"round {index} of {rounds}" if index else "warming up")
        timed("physics", parts.physics, state, key)
        timed("arena", parts.arena, state, key)
        trajectory = timed("rollout", parts.rollout, state, key)
        timed("update", parts.update, state, trajectory, key)
        timed("tiles", parts.by_tiles, state)
        timed("rows", parts.per_row, state)
        state, _ = timed("iteration", iterate, state)
    seconds = {name: median(values[1:]) for name, values in clocks.items()}

    iteration_steps = settings.arena_steps_per_iteration
    rows = learner_rows(trainer.arenas_per_device, settings.league.mirror_fraction, trainer.arena.num_agents)
    rows *= len(settings.league.roles)
    return Report(
        compile_seconds=compile_seconds,
        physics_steps_per_second=arenas * horizon * parts.substeps / seconds["physics"],
        arena_steps_per_second=arenas * horizon / seconds["arena"],
        arena_overhead=seconds["arena"] / seconds["physics"] - 1,
        train_arena_steps_per_second=iteration_steps / seconds["iteration"],
        train_agent_steps_per_second=rows * trainer.mesh.size * horizon / seconds["iteration"],
        rollout_seconds=seconds["rollout"],
        update_seconds=seconds["update"],
        opponents_by_tiles_seconds=seconds["tiles"],
        opponents_per_row_seconds=seconds["rows"],
        peak_memory_bytes=peak_memory_bytes(),
    )


class _Parts:
    """The parts of the first learner's iteration as separate programs, on the same arenas and devices."""

    def __init__(self, trainer: SelfPlay, state: RunState):
        self.trainer = trainer
        horizon, local = trainer.settings.ppo.horizon, trainer.arenas_per_device
        arena, batch = trainer.arena, trainer.batch
        self.substeps = round(arena.control_dt / arena.mj_model.opt.timestep)

        def physics(state: RunState, key):
            step = jax.vmap(lambda s, u: arena.physics.step(s, u, self.substeps))

            def body(carry, key):
                controls = jax.random.uniform(key, (local, arena.mj_model.nu), minval=-1)
                return batch.blockwise(step, carry, controls), None

            return jax.lax.scan(body, first_learner(state.matches.arena.physics), jax.random.split(key, horizon))[0]

        def arena_steps(state: RunState, key):
            bank = batch.make_bank(key, trainer.bank_size)

            def body(carry, key):
                action = arena.action.sample(key, (local, arena.num_agents))
                carry, transition = batch.step(carry, action, bank, key)
                return carry, (transition.timestep, transition.observation)

            return jax.lax.scan(body, first_learner(state.matches.arena), jax.random.split(key, horizon))

        def update(state: RunState, trajectory, key):
            return trainer.learner.update(first_learner(state.learner), trajectory, key, jnp.float32(0))

        def rollout(state: RunState, key):
            learner, matches, probability = first_learner(
                (state.learner, state.matches, trainer.probability(state.pool, state.phase.phase))
            )
            return trainer.local_rollout(state, learner, matches, probability, key)[1]

        trajectory = jax.eval_shape(
            trainer.shard(rollout, (RUN_STATE_SPEC, P()), P(devices.AXIS)), state, jax.random.key(0)
        )
        # Rows lie on the second axis of a trajectory; that of `last_value` on its first.
        rows = jax.tree.map(lambda _: P(None, devices.AXIS), trajectory).replace(last_value=_SPLIT)

        def compiled(function, in_specs, out_specs):
            return jax.jit(trainer.shard(function, in_specs, out_specs))

        self.physics = compiled(physics, (RUN_STATE_SPEC, P()), _SPLIT)
        self.arena = compiled(arena_steps, (RUN_STATE_SPEC, P()), (_SPLIT, P(None, devices.AXIS)))
        self.rollout = compiled(rollout, (RUN_STATE_SPEC, P()), rows)
        self.update = compiled(update, (RUN_STATE_SPEC, rows, P()), P())
        self.by_tiles = jax.jit(lambda state: self._members(state, trainer.settings.league.tile_rows))
        self.per_row = jax.jit(lambda state: self._members(state, None))

    def _members(self, state: RunState, tile_rows: int | None) -> jax.Array:
        """Returns members' most likely actions for one row in each arena of a device; slots take turns."""
        policy, slots = self.trainer.policy, self.trainer.settings.league.player_pool_length
        rows = state.matches.observation[0, : self.trainer.arenas_per_device, 0]
        slot = jnp.arange(rows.shape[0]) % slots

        def act(member, row):
            return policy.distribution(member, row).mode()

        if tile_rows is None:
            return opponents.apply_per_row(act, state.pool.policies, slot, rows)
        return opponents.apply_by_tiles(act, state.pool.policies, slot, rows, tile_rows)


def peak_memory_bytes() -> int:
    """Returns the peak memory of the device that used most, if devices count it (GPUs); else of this process."""
    counted = [statistics["peak_bytes_in_use"] for d in jax.local_devices() if (statistics := d.memory_stats())]
    if counted:
        return max(counted)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
