"""The arena that all compared trainers get: one agent moves two duelists, 1 m apart, and is paid while both stand.

Its formulas are written once, for NumPy and JAX arrays alike, so that only engines and trainers differ.
"""

from dataclasses import dataclass
from typing import Any

import chex
import gymnasium
import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_arena.arena import Arena, TaskSettings
from mjx_arena.physics import PhysicsSettings, make_physics
from mjx_arena.tasks.humanoid_duel.body import NQ, STANDING_HEIGHT, build_pair
from mjx_arena.types import ArenaState, Box, TimeStep

OBSERVATIONS, CONTROLS = 42, 8
SUBSTEPS, TIMESTEP = 2, 0.01  # s
TIME_LIMIT = 1000  # control steps
FALL_HEIGHT = 0.8  # m
NOISE = 0.05  # m, rad, m/s and rad/s of the start


def observe(qpos, qvel, xp):
    """Returns the observation `[42]`, all of `qpos` and `qvel`; `xp` is `jnp` or `np`."""
    return xp.concatenate([qpos, qvel])


def pay(qpos, action, xp):
    """Returns the reward `[]`, and whether one of the two has fallen, `[]` bool; `xp` is `jnp` or `np`."""
    height = qpos.reshape(2, NQ)[:, 2]
    upright = xp.clip((height - FALL_HEIGHT) / (STANDING_HEIGHT - FALL_HEIGHT), 0, 1).mean()
    return upright - 0.1 * xp.square(action).mean(), (height < FALL_HEIGHT).any()


def standing() -> np.ndarray:
    """Returns `qpos` `[22]` with both upright, 1 m apart and face to face."""
    left, right = np.array([-0.5, 0, STANDING_HEIGHT]), np.array([0.5, 0, STANDING_HEIGHT])
    return np.concatenate([left, [1, 0, 0, 0], np.zeros(4), right, [0, 0, 0, 1], np.zeros(4)])


@dataclass(frozen=True)
class StandSettings(TaskSettings):
    """Settings of `Stand`."""

    name: str = "benchmark_stand"  # name of the game
    substeps: int = SUBSTEPS  # engine steps in one control step


class Stand(Arena):
    """The `Arena` of one agent, which moves both bodies."""

    settings_type = StandSettings
    version = 1
    observation_size = OBSERVATIONS
    action = Box(CONTROLS)
    control_dt = SUBSTEPS * TIMESTEP
    time_limit = TIME_LIMIT

    def __init__(self, settings: StandSettings, physics: PhysicsSettings):
        super().__init__(settings, physics)
        self.physics = make_physics(build_pair(TIMESTEP, agent_contacts=True), physics)
        self.mj_model = self.physics.model

    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        key, k_pos, k_vel = jax.random.split(key, 3)
        qpos = jnp.array(standing(), jnp.float32)
        qpos = qpos + NOISE * jax.random.uniform(k_pos, qpos.shape, minval=-1)
        qvel = NOISE * jax.random.uniform(k_vel, (self.mj_model.nv,), minval=-1)
        state = ArenaState(self.physics.init(qpos, qvel), key, jnp.int32(0), ())
        return state, self._timestep(state, jnp.zeros((1, CONTROLS)))

    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        action = jnp.clip(action, -1, 1)
        physics = self.physics.step(state.physics, action.reshape(-1), SUBSTEPS)
        state = state.replace(physics=physics, step_count=state.step_count + 1)
        return state, self._timestep(state, action)

    def _timestep(self, state: ArenaState, action: jax.Array) -> TimeStep:
        reward, fallen = pay(state.physics.qpos, action, jnp)
        return TimeStep(
            observation=observe(state.physics.qpos, state.physics.qvel, jnp)[None],
            reward=reward[None],
            terminated=fallen,
            truncated=~fallen & (state.step_count >= TIME_LIMIT),
            outcome=jnp.zeros(1),
            alive=jnp.ones(1, bool),
            rated=jnp.bool_(True),
            action_mask=None,
            metrics={},
        )


class StandEnv(gymnasium.Env):
    """The same game for Gymnasium, on MuJoCo in C."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVATIONS,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (CONTROLS,), np.float32)

    def __init__(self):
        self._model = build_pair(TIMESTEP, agent_contacts=True).compile()
        self._data = mujoco.MjData(self._model)
        self._start, self._steps = standing(), 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[:] = self._start + NOISE * self.np_random.uniform(-1, 1, self._model.nq)
        self._data.qvel[:] = NOISE * self.np_random.uniform(-1, 1, self._model.nv)
        self._steps = 0
        return self._observation(), {}

    def step(self, action):
        action = np.clip(action, -1, 1)
        self._data.ctrl[:] = action
        mujoco.mj_step(self._model, self._data, SUBSTEPS)
        self._steps += 1
        reward, fallen = pay(self._data.qpos, action, np)
        return self._observation(), float(reward), bool(fallen), self._steps >= TIME_LIMIT, {}

    def _observation(self) -> np.ndarray:
        return observe(self._data.qpos, self._data.qvel, np).astype(np.float32)
