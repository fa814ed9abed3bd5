"""Rewards of the humanoid. Each is a pure function of a `HumanoidState`, with a name in `REWARDS`.

It returns the reward of a control step, and the named terms that it is made of, which are logged.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from mjx_arena.tasks.humanoid_pose.body import HumanoidState
from mjx_arena.tasks.humanoid_pose.rewards import dm_control, poses, seed
from mjx_arena.validation import SettingError

__all__ = ["REWARDS", "Reward", "register"]

Terms = dict[str, jax.Array]


class Reward(NamedTuple):
    """A reward, its goal, and defaults for the settings with which it is learned."""

    function: Callable[[HumanoidState], tuple[jax.Array, Terms]]  # the reward [] and its terms {name: []}
    goal: Callable[[HumanoidState], jax.Array]  # [] bool: the state is the wanted one
    hold: int  # number of last control steps that must all meet the goal for an episode to succeed
    lowest: float = 0.0  # m, height of the torso below which an episode ends as a failure
    start: str = "standing"  # one of `mjx_arena.tasks.humanoid_pose.starts.STARTS`
    contacts: str = "feet"  # one of `mjx_arena.tasks.humanoid_pose.body.CONTACTS`
    substeps: int = 3  # engine steps of 5 ms in one control step
    time_limit: int = 750  # control steps


_DM = {"start": "thrown", "contacts": "floor", "substeps": 5, "time_limit": 1000}
REWARDS: dict[str, Reward] = {
    "stand": Reward(poses.stand, poses.standing, hold=750, lowest=0.8),
    "kneel": Reward(poses.kneel, poses.kneeling, hold=500, lowest=0.5, contacts="limbs"),
    "walk": Reward(poses.walk, poses.fast_enough, hold=1, lowest=0.8),
    "getup": Reward(poses.getup, poses.standing, hold=60, start="lying", contacts="floor", substeps=5, time_limit=500),
    "seed_stand": Reward(seed.stand, poses.standing, hold=750, contacts="limbs"),
    "seed_kneel": Reward(seed.kneel, poses.kneeling, hold=500, contacts="limbs"),
    "dm_stand": Reward(dm_control.stand, poses.standing, hold=500, **_DM),
    "dm_walk": Reward(dm_control.walk, poses.fast_enough, hold=1, **_DM),
    "dm_run": Reward(dm_control.run, poses.fast_enough, hold=1, **_DM),
}


def register(name: str, reward: Reward) -> None:
    """Registers a reward as `task.reward=<name>`. Raises SettingError if another reward has that name."""
    if REWARDS.get(name, reward) != reward:
        raise SettingError("task.reward", name, "another reward has this name")
    REWARDS[name] = reward
