"""Arenas as environments of Gymnasium and PettingZoo, for other learners. Needs the extra `gym`.

Importing this registers `mjx_arena/<Task>-v0` for every task, such as `mjx_arena/Qwop-v0`; keyword arguments of
`gymnasium.make` and `make_vec` are those of `ArenaEnv` and `ArenaVectorEnv`, and settings of the task.
"""

import gymnasium

from mjx_arena.gym.parallel import ArenaParallelEnv
from mjx_arena.gym.seat import Opponent
from mjx_arena.gym.single import ArenaEnv
from mjx_arena.gym.vector import ArenaVectorEnv
from mjx_arena.registry import list_tasks

__all__ = ["ArenaEnv", "ArenaParallelEnv", "ArenaVectorEnv", "Opponent", "env_id"]


def env_id(task: str) -> str:
    """Returns Gymnasium's name of a task: `ant_sumo` is `mjx_arena/AntSumo-v0`."""
    return f"mjx_arena/{''.join(word.capitalize() for word in task.split('_'))}-v0"


for _task in list_tasks():
    gymnasium.register(
        env_id(_task), ArenaEnv, vector_entry_point=ArenaVectorEnv, kwargs={"task": _task}, order_enforce=True
    )
