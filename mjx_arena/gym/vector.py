"""Many arenas as a `gymnasium.vector.VectorEnv`; one program steps them all."""

from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

import mjx_arena
from mjx_arena.batch import BatchedArena, where
from mjx_arena.devices import safe_block_size
from mjx_arena.gym.seat import Opponent, idle, joint_action, spaces
from mjx_arena.physics import PhysicsSettings


class ArenaVectorEnv(VectorEnv):
    """The first seats of `num_envs` matches of `task`; see `ArenaEnv` for the other arguments.

    When a match ends, the same step returns the observation of a fresh one; `final_obs` in `info` is the last one of
    the old, and `final_info` its outcome and the task's metrics. With `autoreset_mode=AutoresetMode.NEXT_STEP`, for
    Gymnasium's own wrappers, the step returns the last observation, and the next step ignores its action and returns
    the fresh one. Starts come from a bank that is renewed every `bank_steps` steps. An agent that is eliminated, or is
    the held dummy of a drill, plays on without effect until the match ends: switch drills off in the task's settings.
    Raises ValueError for `AutoresetMode.DISABLED`.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        task: str,
        num_envs: int = 64,
        physics: str = "native",
        opponent: Opponent | None = None,
        bank_steps: int = 32,
        autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
        **settings: Any,
    ):
        self.arena = mjx_arena.make(task, physics, **settings)
        if autoreset_mode == AutoresetMode.DISABLED:
            raise ValueError(
                "autoreset_mode must be SAME_STEP or NEXT_STEP: arenas begin their next match by themselves"
            )
        self.num_envs, self.bank_steps, self._mode = num_envs, bank_steps, autoreset_mode
        self.metadata = {**type(self).metadata, "autoreset_mode": autoreset_mode}
        self.single_observation_space, self.single_action_space = spaces(self.arena)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        block = safe_block_size(num_envs, PhysicsSettings(engine=physics).wanted_block)
        batch, plays = BatchedArena(self.arena, block), opponent or idle(self.arena)

        def step(state, seen, action, bank, key, waiting):
            k_bank, k_play = jax.random.split(key)
            keys = jax.random.split(k_play, num_envs)
            joint = jax.vmap(lambda *row: joint_action(self.arena, plays, *row))(seen, action, keys)
            after, transition = batch.step(state, joint, bank, k_bank)
            # An arena that waits began its next match in the step before, and shows its start only now.
            after = jax.tree.map(lambda new, old: where(waiting, old, new), after, state)
            shown = jnp.where(transition.ended[:, None, None], transition.timestep.observation, transition.observation)
            shown = where(waiting, seen[0], shown)
            fresh = transition.observation, transition.action_mask
            seen = jax.tree.map(lambda new, old: where(waiting, old, new), fresh, seen)
            return after, transition, seen, shown

        self._step = jax.jit(step)
        self._reset = jax.jit(lambda key: batch.reset(key, num_envs))
        self._make_bank = jax.jit(lambda key: batch.make_bank(key, num_envs))
        self._dtype = jnp.float32 if isinstance(self.single_action_space, gymnasium.spaces.Box) else jnp.int32

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        del options
        self._waiting = jnp.zeros(self.num_envs, bool)
        self._key, self._steps = jax.random.key(int(self.np_random.integers(2**31))), 0
        self._state, timestep = self._reset(self._next_key())
        self._seen = timestep.observation, timestep.action_mask
        return np.asarray(timestep.observation[:, 0]), self._masks()

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        if self._steps % self.bank_steps == 0:
            self._bank = self._make_bank(self._next_key())
        self._steps += 1
        actions = jnp.asarray(actions, self._dtype)
        waiting, key = self._waiting, self._next_key()
        state, transition, self._seen, shown = self._step(self._state, self._seen, actions, self._bank, key, waiting)
        self._state, timestep = state, transition.timestep
        played, info = ~np.asarray(waiting), self._masks()
        ended = np.asarray(transition.ended) & played
        if self._mode == AutoresetMode.NEXT_STEP:
            self._waiting = jnp.asarray(ended)
            for name, values in ({"outcome": timestep.outcome[:, 0]} | timestep.metrics).items():
                info |= {name: np.where(ended, values, 0), f"_{name}": ended}
        elif ended.any():
            final = np.full(self.num_envs, None, object)
            for index in ended.nonzero()[0]:
                final[index] = np.asarray(timestep.observation[index, 0])
            info |= {"final_obs": final, "_final_obs": ended}
            last: dict[str, Any] = {}
            for name, values in ({"outcome": timestep.outcome[:, 0]} | timestep.metrics).items():
                last |= {name: np.where(ended, values, 0), f"_{name}": ended}
            info |= {"final_info": last, "_final_info": ended}
        observation = shown if self._mode == AutoresetMode.NEXT_STEP else self._seen[0]
        rewards = np.where(played, np.asarray(timestep.reward[:, 0], np.float64), 0)
        terminated, truncated = (np.asarray(x) & played for x in (timestep.terminated, timestep.truncated))
        return np.asarray(observation[:, 0]), rewards, terminated, truncated, info

    def _masks(self) -> dict[str, Any]:
        return {} if self._seen[1] is None else {"action_mask": np.asarray(self._seen[1][:, 0])}

    def _next_key(self) -> jax.Array:
        self._key, key = jax.random.split(self._key)
        return key
