"""Checks for all settings; their error names the key, its value and what would do instead."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any


class SettingError(ValueError):
    """An error about a setting that cannot work. `str()` gives one line: `key=value: remedy`."""

    def __init__(self, key: str, value: Any, remedy: str):
        super().__init__(f"{key}={value}: {remedy}")
        self.key, self.value, self.remedy = key, value, remedy


def require(condition: bool, key: str, value: Any, remedy: str) -> None:
    """Raises SettingError unless `condition` holds."""
    if not condition:
        raise SettingError(key, value, remedy)


def checker(group: Any, prefix: str) -> Callable[[bool, str, str], None]:
    """Returns `check(condition, key, remedy)`, which raises SettingError for that field of the dataclass `group`."""
    return lambda condition, key, remedy: require(condition, f"{prefix}.{key}", getattr(group, key), remedy)


def require_not_negative(group: Any, prefix: str, remedy: str) -> None:
    """Raises SettingError for the first field of the dataclass `group` that is negative."""
    for key, value in vars(group).items():
        require(value >= 0, f"{prefix}.{key}", value, remedy)


def require_finite(settings: Any, key: str = "") -> None:
    """Raises SettingError for the first infinite number or NaN in the dataclass `settings`, whose own key is `key`.

    Looks into nested dataclasses, mappings, tuples and lists, as in `task.phases[0].rewards.goal`.
    """
    if isinstance(settings, float):
        require(math.isfinite(settings), key, settings, "must be a finite number")
    elif isinstance(settings, tuple | list):
        for index, part in enumerate(settings):
            require_finite(part, f"{key}[{index}]")
    elif isinstance(settings, Mapping) or dataclasses.is_dataclass(settings):
        for name, part in (settings if isinstance(settings, Mapping) else vars(settings)).items():
            require_finite(part, f"{key}.{name}" if key else name)


def replace_nested(group: Any, changes: Mapping[str, Any], prefix: str) -> Any:
    """Returns the dataclass `group` with some fields changed; a mapping changes parts of a field that is a dataclass.

    Raises SettingError for an unknown field; `prefix` is the key of the group.
    """
    known, parts = {field.name for field in dataclasses.fields(group)}, {}
    for key, value in changes.items():
        require(
            key in known, f"{prefix}.{key}", value, f"there is no such setting; choose of {', '.join(sorted(known))}"
        )
        old = getattr(group, key)
        nested = isinstance(value, Mapping) and dataclasses.is_dataclass(old)
        parts[key] = replace_nested(old, value, f"{prefix}.{key}") if nested else value
    return dataclasses.replace(group, **parts)
