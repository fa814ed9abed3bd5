"""Loads the pairings that a run's policy plays, from `conf/evaluation/<task>.yaml` or the YAML beside a game."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from league.config.compose import CONF, beside_game
from league.config.fields import instance_of
from mjx_arena import registry
from mjx_arena.physics.settings import PhysicsSettings
from mjx_arena.validation import SettingError, require

_DEFAULT = {"untrained": {"opponent": "initial"}, "quarter": {"opponent": 0.25}, "mirror": {"opponent": "self"}}
_DEFAULT_ALONE = {"run": {"opponent": "self"}}
# A world that is not the one of training, nor within what is sensible for `task.randomize` there.
_SHIFTED = {"mass": [1.25, 1.25], "friction": [0.65, 0.65], "motor_strength": [0.8, 0.8], "delay": [1, 1]}


@dataclasses.dataclass(frozen=True)
class Pairing:
    """An opponent for a run's policy, and the variant of the task and engine that they play."""

    opponent: str | float  # `self`, `initial` (untrained), `idle`, or the share of the run at which it was saved
    task: dict[str, Any] = dataclasses.field(default_factory=dict)  # settings of the task that replace the run's
    physics: PhysicsSettings | None = None  # replaces the run's


def load_ladder(task: str) -> dict[str, Any]:
    """Returns the settings of the task that a tournament changes: the entry `ladder`."""
    return _task_changes(_entries(task).get("ladder", {}).get("task", {}))


def load_pairings(task: str, num_agents: int, names: tuple[str, ...] | None = None) -> dict[str, Pairing]:
    """Returns name -> pairing of a task, for `names` only or all. Raises SettingError for unknown names, bad entries.

    A task without pairings gets four: against the untrained policy, the policy at a quarter of the run, and itself; and
    against that quarter in another world, `shifted`. A task of one agent gets two.
    """
    entries = {name: values for name, values in _entries(task).items() if name != "ladder"}
    entries = entries or _default(task, num_agents)
    for name in names or ():
        require(name in entries, "pairings", name, f"choose from {', '.join(entries)}")
    return {name: _pairing(task, name, values) for name, values in entries.items() if names is None or name in names}


def against_itself(pairings: dict[str, Pairing]) -> Pairing:
    """Returns the first pairing of a policy with itself: the game as it is watched."""
    return next((pairing for pairing in pairings.values() if pairing.opponent == "self"), Pairing("self"))


def _default(task: str, num_agents: int) -> dict[str, Any]:
    can_vary = registry.arena_type(task).randomizable
    world = {name: values for name, values in _SHIFTED.items() if name in can_vary}
    entries, rival = (_DEFAULT_ALONE, "self") if num_agents == 1 else (_DEFAULT, 0.25)
    return entries | ({"shifted": {"opponent": rival, "task": {"randomize": world}}} if world else {})


def _entries(task: str) -> dict[str, Any]:
    path = CONF / "evaluation" / f"{task}.yaml"
    if not path.is_file():
        return beside_game(task).get("evaluation", {})
    return OmegaConf.to_container(OmegaConf.load(path))  # type: ignore[return-value]


def _pairing(task: str, name: str, values: Mapping[str, Any]) -> Pairing:
    try:
        pairing = instance_of(Pairing, values)
    except (SettingError, TypeError) as error:
        raise SettingError(f"evaluation of {task}", name, str(error)) from error
    return dataclasses.replace(pairing, task=_task_changes(pairing.task))


def _task_changes(task: dict[str, Any]) -> dict[str, Any]:
    changes = {key: _task_changes(value) if isinstance(value, dict) else value for key, value in task.items()}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in changes.items()}
