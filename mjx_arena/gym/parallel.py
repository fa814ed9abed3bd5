"""Arenas of several agents as a `pettingzoo.ParallelEnv`."""

from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from pettingzoo import ParallelEnv

import mjx_arena
from mjx_arena.gym.seat import spaces
from mjx_arena.render import render


class ArenaParallelEnv(ParallelEnv):
    """A match of `task` with agents `agent_0` and so on; eliminated agents leave. For the arguments see `ArenaEnv`."""

    metadata = {"render_modes": ["rgb_array"], "name": "mjx_arena"}

    def __init__(self, task: str, physics: str = "native", render_mode: str | None = None, **settings: Any):
        self.arena = mjx_arena.make(task, physics, **settings)
        self.render_mode = render_mode
        self.metadata = {**type(self).metadata, "name": task, "render_fps": round(1 / self.arena.control_dt)}
        self.possible_agents = [f"agent_{index}" for index in range(self.arena.num_agents)]
        self.observation_spaces, self.action_spaces = (
            {agent: spaces(self.arena)[which] for agent in self.possible_agents} for which in (0, 1)
        )
        self.agents: list[str] = []
        self._reset, self._step = jax.jit(self.arena.reset), jax.jit(self.arena.step)
        self.np_random = np.random.default_rng()  # SuperSuit needs it under this name

    def observation_space(self, agent: str) -> gymnasium.Space:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.Space:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        del options
        if seed is not None:
            self.np_random = np.random.default_rng(seed)
        self._state, timestep = self._reset(jax.random.key(int(self.np_random.integers(2**31))))
        self.agents = list(self.possible_agents)
        return self._each(timestep.observation), self._infos(timestep)

    def step(self, actions: dict[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        idle = self.arena.idle_action
        joint = np.stack([np.asarray(actions.get(agent, idle)) for agent in self.possible_agents])
        self._state, timestep = self._step(self._state, jnp.asarray(joint, idle.dtype))
        terminated, truncated = bool(timestep.terminated), bool(timestep.truncated)
        leaving = self._each(terminated | ~np.asarray(timestep.alive))
        results = (
            self._each(timestep.observation),
            {agent: float(reward) for agent, reward in self._each(timestep.reward).items()},
            {agent: bool(gone) for agent, gone in leaving.items()},
            {agent: truncated and not gone for agent, gone in leaving.items()},
            self._infos(timestep),
        )
        self.agents = [] if truncated else [agent for agent in self.agents if not leaving[agent]]
        return results

    def render(self) -> np.ndarray | None:
        """Returns a picture `[480, 640, 3]` uint8, or None if `render_mode` is None. Raises RenderError."""
        if self.render_mode is None:
            return None
        pose = np.asarray(self.arena.pose(self._state))
        return next(iter(render(self.arena.mj_model, [pose], view=self.arena.view))).copy()

    def _each(self, values: Any) -> dict[str, Any]:
        """Returns the values, one row an agent, of the agents that have not left."""
        values = np.asarray(values)
        return {agent: values[index] for index, agent in enumerate(self.possible_agents) if agent in self.agents}

    def _infos(self, timestep) -> dict[str, dict[str, Any]]:
        ended = bool(timestep.terminated | timestep.truncated)
        outcome = {
            agent: {"outcome": float(value)} if ended else {} for agent, value in self._each(timestep.outcome).items()
        }
        if timestep.action_mask is not None:
            masks = self._each(timestep.action_mask)
            outcome = {agent: info | {"action_mask": masks[agent]} for agent, info in outcome.items()}
        return outcome
