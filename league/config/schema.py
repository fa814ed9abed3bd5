"""Frozen settings dataclasses as schemas that Hydra can merge into, and its errors as messages for people."""

import dataclasses
import difflib
import functools
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import MISSING
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from mjx_arena.validation import SettingError

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@functools.cache
def schema_of(cls: type) -> type:
    """The same dataclass, nested ones included, without `frozen`, which OmegaConf would take for read-only."""
    hints = typing.get_type_hints(cls)
    columns = []
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if (element := element_of(hint)) is not None:
            rows = dataclasses.field(default_factory=functools.partial(_plain_rows, field))
            columns.append((field.name, list[schema_of(element)], rows))
        elif dataclasses.is_dataclass(hint):
            nested = schema_of(typing.cast(type, hint))
            columns.append((field.name, nested, dataclasses.field(default_factory=nested)))
        else:
            default = MISSING if field.default is dataclasses.MISSING and hint is not Any else field.default
            default = None if default is dataclasses.MISSING else default
            if field.default_factory is not dataclasses.MISSING:
                column = dataclasses.field(default_factory=field.default_factory)
            else:
                column = dataclasses.field(default=default)
            columns.append((field.name, hint, column))
    return dataclasses.make_dataclass(cls.__name__, columns)


def element_of(hint: Any) -> type | None:
    """The dataclass that a field of several, `tuple[<dataclass>, ...]`, is made of; None for other fields."""
    first = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else None
    return first if isinstance(first, type) and dataclasses.is_dataclass(first) else None


def _plain_rows(field: dataclasses.Field) -> list[Any]:
    rows: Any = field.default
    return [schema_of(type(row))(**vars(row)) for row in rows]


def instantiate(cls: type, values: Mapping[str, Any], open_fields: Mapping[str, type] | None = None) -> Any:
    """An instance of the dataclass `cls` out of nested plain data of the right types, lists turned into tuples.

    `open_fields` gives the dataclasses of fields that `cls` declares as `Any`. Keys left out take their defaults.
    """
    hints = {**typing.get_type_hints(cls), **(open_fields or {})}
    arguments = {}
    for key, value in values.items():
        if (element := element_of(hints[key])) is not None:
            value = [instantiate(element, row) for row in value]
        elif dataclasses.is_dataclass(hints[key]):
            value = instantiate(typing.cast(type, hints[key]), value)
        arguments[key] = tuple(value) if isinstance(value, list) else value
    return cls(**arguments)


def hints_by_key(cls: type, open_fields: Mapping[str, type] | None = None, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> type of all that can be set in the dataclass `cls`, its groups and the rows of lists included."""
    found = {}
    for key, hint in {**typing.get_type_hints(cls), **(open_fields or {})}.items():
        found[prefix + key] = hint
        group = element_of(hint) or hint
        if dataclasses.is_dataclass(group):
            found |= hints_by_key(typing.cast(type, group), prefix=f"{prefix}{key}.")
    return found


def unknown_key(key: str, value: Any, known: Iterable[str]) -> SettingError:
    """The error for a key that is not there, with the nearest one that is."""
    known = [other for other in known if other != key]  # another task may have it
    name = key.rpartition(".")[2]
    same_name = [other for other in known if other.rpartition(".")[2] == name]
    longer = [other for other in known if other.startswith(f"{key}_")]
    alike = same_name or longer or difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    if not alike:
        by_name = {other.rpartition(".")[2]: other for other in known}
        alike = [by_name[match] for match in difflib.get_close_matches(name, by_name, n=1, cutoff=0.6)]
    nearest = f"did you mean {alike[0]}?" if alike else f"the keys are {', '.join(k for k in known if '.' not in k)}"
    return SettingError(key, value, f"there is no such key; {nearest}")


def explain(error: Exception, written: Mapping[str, str], hints: Mapping[str, Any]) -> SettingError:
    """What an error of Hydra or OmegaConf means for the person who set the keys.

    `written` maps the keys of the command line to their values as text, `hints` every key there is to its type.
    """
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = str(getattr(cause, "full_key", None) or _key_in(str(error)) or "")
    rows = _rows_with(key, getattr(cause, "object_type", None), hints)
    group_key = f"{rows}.{key}" if rows else key.partition("[")[0]
    value = written.get(rows or group_key, _source(str(error)))
    group, _, name = group_key.rpartition(".")
    if typing.get_origin(hints.get(group)) is dict:
        return SettingError(group, value, f"{name} must be {describe(typing.get_args(hints[group])[1])}")
    if rows:
        known = {other.removeprefix(f"{rows}."): hint for other, hint in hints.items() if other.startswith(f"{rows}.")}
        remedy = f" must be {describe(known[key])}" if key in known else f": {unknown_key(key, '', known).remedy}"
        return SettingError(rows, value, key + remedy)
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) or (group_key and group_key not in hints):
        return unknown_key(key, value, hints)
    if group_key in hints:
        return SettingError(group_key, value, f"must be {describe(hints[group_key])}")
    first = str(error).splitlines()[0]
    for key, value in written.items():
        if key in str(error):
            return SettingError(key, value, first)
    return SettingError("configuration", " ".join(f"{key}={value}" for key, value in written.items()), first)


def _rows_with(key: str, kind: Any, hints: Mapping[str, Any]) -> str | None:
    """The key of the list in whose rows, of a dataclass like `kind`, OmegaConf met `key`; it names no more."""
    first, name = key.partition(".")[0], getattr(kind, "__name__", None)
    for owner, hint in hints.items():
        element = element_of(hint)
        if element and (name == element.__name__ or (first not in hints and f"{owner}.{first}" in hints)):
            return owner
    return None


def describe(hint: Any) -> str:
    """A type in words: `int | None` is `a whole number or null`."""
    if dataclasses.is_dataclass(hint):
        return "a group: set the keys in it"
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " or ".join("null" if part is type(None) else describe(part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        parts = typing.get_args(hint)
        if element_of(hint):
            return "a list [..] of groups {key: value, ..}"
        kind = describe(parts[0]).removeprefix("a ")
        count = "" if parts[-1] is Ellipsis else f"{len(parts)} "
        return f"a list [..] of {count}{kind}s"
    if typing.get_origin(hint) is dict:
        return f"{{name: value, ..}}, each value {describe(typing.get_args(hint)[1])}"
    return _KINDS.get(hint, str(hint))


def _key_in(message: str) -> str | None:
    """The key that a composition error names on a line of its own."""
    for line in message.splitlines():
        name, _, key = line.strip().partition(": ")
        if name == "full_key" and key:
            return key
    return None


def _source(message: str) -> str:
    """Where a value came from that the command line does not hold: Hydra says "In 'ppo/default': ..."."""
    place = message.partition("In '")[2].partition("'")[0]
    return f"(in conf/{place}.yaml)" if place else "?"
