"""Many arenas as a `VecEnv` of Stable-Baselines3, which does not accept Gymnasium's. Needs the extra `sb3`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv  # pyright: ignore[reportMissingImports]

from mjx_arena.gym.vector import ArenaVectorEnv


class ArenaVecEnv(VecEnv):
    """`num_envs` arenas that one program steps, for Stable-Baselines3; the arguments are those of `ArenaVectorEnv`."""

    def __init__(self, task: str, num_envs: int = 64, **arguments: Any):
        self.arenas = ArenaVectorEnv(task, num_envs, **arguments)
        super().__init__(num_envs, self.arenas.single_observation_space, self.arenas.single_action_space)
        self._actions: Any = None

    def reset(self) -> np.ndarray:
        seed = self._seeds[0]
        self._reset_seeds()
        return np.array(self.arenas.reset(seed=seed)[0])

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        seen, rewards, terminated, truncated, info = self.arenas.step(self._actions)
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for index in ended.nonzero()[0]:
            infos[index] = {
                "terminal_observation": info["final_obs"][index],
                "TimeLimit.truncated": bool(truncated[index]),
                "outcome": float(info["final_info"]["outcome"][index]),
            }
        return np.array(seen), rewards.astype(np.float32), ended, infos

    def close(self) -> None:
        self.arenas.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.arenas, attr_name, None)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(f"{attr_name} cannot be set: arenas take their settings when they are made")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise AttributeError(f"there is no method {method_name}: one program steps all arenas")

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False] * len(self._rows(indices))

    def _rows(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))
