"""Resumes runs: finds the one that `resume` names, and checks which of its settings change."""

import dataclasses
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from league.config.compose import checked, from_mapping, to_mapping
from league.run import folder as run_folder
from league.run import milestones
from league.settings import RunSettings
from mjx_arena.validation import SettingError, require

# Keys, or first parts of dotted keys, that may change on resume: HOW a run is carried out, and WHAT it learns from then
# on. Changes of what it learns are announced and written to the run's log of changes.
HOW = (
    *("iterations", "total_arena_steps", "checkpoint_interval", "checkpoint_keep_interval", "compilation_cache"),
    *("phase", "milestone_interval", "debug", "devices", "processes", "distributed", "logger", "objective"),
    *("game_file",),
)
WHAT = (
    *("ppo.learning_rate", "ppo.learning_rate_schedule", "ppo.learning_rate_min", "ppo.learning_rate_max"),
    *("ppo.target_kl", "ppo.target_kl_decay", "ppo.stop_kl", "ppo.entropy_coefficient"),
    *("league.matchmaker", "league.mix", "league.pfsp_weight", "league.pfsp_power", "league.delta"),
)
_ROW = re.compile(r"\.\d+(?:\.|$)")  # of a list, which changes as a whole
_CHOOSING = ("resume", "resume_step", "run_dir")


class Resumption(NamedTuple):
    """A run to resume."""

    settings: RunSettings  # those of the run, with the changes
    folder: Path
    changes: dict[str, tuple[Any, Any]]  # of what is learned: key -> (value before, value from now on)


def resumed(saved: RunSettings, wanted: RunSettings, written: Mapping[str, str]) -> RunSettings:
    """Returns the saved settings, with the values in `wanted` of the keys that are `written` (key -> text).

    Raises SettingError for a key whose value differs and must not change.
    """
    settings = saved
    may_change = (*HOW, *WHAT, *(f"task.{key}" for key in saved.task.weights))
    for key in written:
        key = _ROW.split(key)[0]
        if key in _CHOOSING:
            continue
        if key == "experiment":
            remedy = "a run that is resumed keeps its settings; leave this out, and name the keys that are to change"
            require(_same(saved, wanted), key, written[key], remedy)
        elif key == "task":
            require(wanted.task_name == saved.task_name, key, wanted.task_name, f"this run plays {saved.task_name}")
        elif any(key == other or key.startswith(f"{other}.") for other in may_change):
            settings = _with(settings, key.split("."), _at(wanted, key))
        else:
            now, then = _at(wanted, key), _at(saved, key)
            shown = (written[key], "other settings there") if dataclasses.is_dataclass(now) else (now, then)
            require(
                now == then, key, shown[0], f"cannot change on resume, the run has {shown[1]}; start a new run instead"
            )
    if "processes" in written and "devices" not in written:
        settings = dataclasses.replace(settings, devices=None)  # the run's number may not split over them
    return checked(settings)


def changes(saved: RunSettings, settings: RunSettings) -> dict[str, tuple[Any, Any]]:
    """Returns the changes of what is learned: dotted key -> (value before, value now)."""
    before, now = flat(to_mapping(saved)), flat(to_mapping(settings))
    concerns = (*WHAT, "task", "devices")
    if settings.devices is None:  # which is only chosen later
        del now["devices"]
    return {
        key: (before.get(key), value)
        for key, value in now.items()
        if before.get(key) != value and any(key == other or key.startswith(f"{other}.") for other in concerns)
    }


def resolve(wanted: RunSettings, written: Mapping[str, str]) -> Resumption | None:
    """Returns the run that `wanted.resume` names, or None where `latest` finds no run that can be resumed.

    Raises SettingError where there is no such run, or a key in `written` must not change.
    """
    resume, task = str(wanted.resume), wanted.task_name
    if resume == "latest":
        for folder in run_folder.newest(task):
            try:
                return _settings_of(folder, wanted, written)
            except SettingError as error:
                print(f"skipped {folder}: {error}")
        return None
    if resume.partition(":")[0] == "milestone":
        return _settings_of(milestones.choose(resume, task, input if sys.stdin.isatty() else None), wanted, written)
    return _settings_of(run_folder.find(resume), wanted, written)


def _settings_of(folder: Path, wanted: RunSettings, written: Mapping[str, str]) -> Resumption:
    saved = from_mapping(run_folder.read_config(folder))
    settings = resumed(saved, wanted, written)
    phase = wanted.phase if "phase" in written else None  # else it stays in its phase
    settings_now = dataclasses.replace(settings, resume=str(folder), resume_step=wanted.resume_step, phase=phase)
    return Resumption(settings_now, folder, changes(saved, settings))


def _same(saved: RunSettings, wanted: RunSettings) -> bool:
    """Returns whether both settings are the same, but for the run's folder and devices."""
    aside = {"resume": None, "resume_step": None, "run_dir": None, "devices": saved.devices}
    return checked(dataclasses.replace(wanted, **aside)) == dataclasses.replace(saved, run_dir=None)


def _at(settings: Any, key: str) -> Any:
    for name in key.split("."):
        settings = getattr(settings, name)
    return settings


def _with(group: Any, path: list[str], value: Any) -> Any:
    """Returns the dataclass `group` with `value` at a path of field names."""
    name, *rest = path
    return dataclasses.replace(group, **{name: _with(getattr(group, name), rest, value) if rest else value})


def flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns dotted key -> value of nested plain data."""
    by_key = {}
    for key, value in mapping.items():
        by_key |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return by_key
