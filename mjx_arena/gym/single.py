"""Single arenas as a `gymnasium.Env`."""

from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

import mjx_arena
from mjx_arena.gym.seat import Opponent, idle, joint_action, spaces
from mjx_arena.render import render
from mjx_arena.types import TimeStep


class ArenaEnv(gymnasium.Env):
    """The first seat of a match of `task` on an engine, by default MuJoCo in C.

    `opponent` plays the other seats: a function of observations, legal choices and a key, compiled into the step; None
    leaves them idle. Further keywords are settings of the task; raises SettingError for bad ones. `info` holds the
    task's metrics, `action_mask` if choices can be illegal, and at the end the `outcome`.
    """

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(
        self,
        task: str,
        physics: str = "native",
        opponent: Opponent | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ):
        self.arena = mjx_arena.make(task, physics, **settings)
        self.render_mode = render_mode
        self.metadata = {**type(self).metadata, "render_fps": round(1 / self.arena.control_dt)}
        self.observation_space, self.action_space = spaces(self.arena)
        plays = opponent or idle(self.arena)

        def step(state, seen, action, key):
            return self.arena.step(state, joint_action(self.arena, plays, seen, action, key))

        self._reset, self._step = jax.jit(self.arena.reset), jax.jit(step)
        self._dtype = jnp.float32 if isinstance(self.action_space, gymnasium.spaces.Box) else jnp.int32

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        del options
        self._key, alive = jax.random.key(int(self.np_random.integers(2**31))), False
        while not alive:  # in a drill the first seat may be the dummy, which has nothing to play
            k_reset, self._key = jax.random.split(self._key)
            self._state, timestep = self._reset(k_reset)
            alive = bool(timestep.alive[0])
        self._seen = timestep.observation, timestep.action_mask
        return np.asarray(timestep.observation[0]), _info(timestep)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        k_step, self._key = jax.random.split(self._key)
        self._state, timestep = self._step(self._state, self._seen, jnp.asarray(action, self._dtype), k_step)
        self._seen = timestep.observation, timestep.action_mask
        info = _info(timestep)
        # An eliminated agent has no future, even if the match goes on.
        terminated = bool(timestep.terminated) or not bool(timestep.alive[0])
        if terminated or bool(timestep.truncated):
            info["outcome"] = float(timestep.outcome[0])
        observation = np.asarray(timestep.observation[0])
        return observation, float(timestep.reward[0]), terminated, bool(timestep.truncated) and not terminated, info

    def render(self) -> np.ndarray | None:
        """Returns a picture `[480, 640, 3]` uint8, or None if `render_mode` is None. Raises RenderError."""
        if self.render_mode is None:
            return None
        pose = np.asarray(self.arena.pose(self._state))
        return next(iter(render(self.arena.mj_model, [pose], view=self.arena.view))).copy()


def _info(timestep: TimeStep) -> dict[str, Any]:
    info: dict[str, Any] = {name: float(value) for name, value in timestep.metrics.items()}
    if timestep.action_mask is not None:
        info["action_mask"] = np.asarray(timestep.action_mask[0])
    return info
