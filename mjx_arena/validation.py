"""Checks shared by the settings of every room: one message that names the key, the value and what would do."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any


class SettingError(ValueError):
    """A setting that cannot work. `str()` gives one line for the person who set it."""

    def __init__(self, key: str, value: Any, remedy: str):
        super().__init__(f"{key}={value}: {remedy}")
        self.key, self.value, self.remedy = key, value, remedy


def require(condition: bool, key: str, value: Any, remedy: str) -> None:
    """Raises `SettingError` unless `condition` holds."""
    if not condition:
        raise SettingError(key, value, remedy)


def require_not_negative(group: Any, prefix: str, remedy: str) -> None:
    """Raises `SettingError` for the first field of the dataclass `group` that is negative."""
    for key, value in vars(group).items():
        require(value >= 0, f"{prefix}.{key}", value, remedy)


def require_finite(settings: Any, key: str = "") -> None:
    """Raises `SettingError` for the first infinite number or NaN in the dataclass `settings`, which `key` names.

    It may stand in dataclasses, mappings, tuples and lists inside, as `task.phases[0].rewards.goal` does.
    """
    if isinstance(settings, float):
        require(math.isfinite(settings), key, settings, "must be a finite number")
    elif isinstance(settings, tuple | list):
        for index, part in enumerate(settings):
            require_finite(part, f"{key}[{index}]")
    elif isinstance(settings, Mapping) or dataclasses.is_dataclass(settings):
        for name, part in (settings if isinstance(settings, Mapping) else vars(settings)).items():
            require_finite(part, f"{key}.{name}" if key else name)


def changed(group: Any, changes: Mapping[str, Any]) -> Any:
    """The dataclass `group` with `changes` by field; of a field that is a dataclass itself, a mapping changes parts."""
    parts = {}
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and dataclasses.is_dataclass(getattr(group, key))
        parts[key] = changed(getattr(group, key), value) if nested else value
    return dataclasses.replace(group, **parts)
