"""Reads settings dataclasses: their keys, types in words and comments; and builds their instances from plain data."""

import ast
import dataclasses
import difflib
import functools
import inspect
import io
import textwrap
import tokenize
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mjx_arena.validation import SettingError

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class Field(NamedTuple):
    """One key of a settings dataclass."""

    hint: Any  # its type
    comment: str  # behind the field, or in the line above; for help


def fields_of(cls: type, open_fields: Mapping[str, type] | None = None, prefix: str = "") -> dict[str, Field]:
    """Returns dotted key -> `Field` for all keys of the dataclass `cls`, of its groups, and of its lists of groups.

    `open_fields` gives the dataclasses of fields that `cls` leaves open, such as `task`.
    """
    fields, comments = {}, _comments(cls)
    for key, hint in {**typing.get_type_hints(cls), **(open_fields or {})}.items():
        if typing.get_origin(hint) is typing.ClassVar:
            continue
        fields[prefix + key] = Field(hint, comments.get(key, ""))
        group = row_type(hint) or hint
        if dataclasses.is_dataclass(group):
            fields |= fields_of(typing.cast(type, group), prefix=f"{prefix}{key}.")
    return fields


def typed(value: Any, hint: Any, key: str) -> Any:
    """Converts plain data to the type `hint`; keys of a dataclass that `value` lacks take their defaults.

    Raises SettingError, which names `key`, for a value of another type, and for keys that do not exist.
    """
    if dataclasses.is_dataclass(hint):
        return instance_of(typing.cast(type, hint), value, key)
    origin, parts, remedy = typing.get_origin(hint), typing.get_args(hint), f"must be {describe(hint)}"
    try:
        if origin in (types.UnionType, typing.Union):
            return _first_fit(value, parts, key)
        if origin is tuple and isinstance(value, list | tuple):
            hints = [parts[0]] * len(value) if parts[-1] is Ellipsis else list(parts)
            return tuple(typed(entry, part, "") for entry, part in zip(value, hints, strict=True))
        if origin is dict and isinstance(value, Mapping):
            return {str(name): typed(entry, parts[1], str(name)) for name, entry in value.items()}
        if hint is float and not isinstance(value, bool):
            return float(value)
    except SettingError as error:
        if key and error.key.startswith(f"{key}."):
            raise  # of a group, whose message names the key; entries of lists and mappings have none of their own
        if origin is dict or row_type(hint):
            space = ": " if error.remedy.startswith("there") else " "
            remedy = error.key.removeprefix(".") + space + error.remedy
    except (TypeError, ValueError):
        pass
    else:
        if hint is Any or (isinstance(hint, type) and type(value) is hint):
            return value
    raise SettingError(key, "null" if value is None else value, remedy)


def _first_fit(value: Any, hints: Iterable[Any], key: str) -> Any:
    """Converts `value` to the first of `hints` that it fits; raises ValueError for none."""
    for hint in hints:
        if hint is type(None):
            if value is None:
                return None
            continue
        try:
            return typed(value, hint, key)
        except SettingError:
            if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
                raise  # it is meant, and its message names the key inside
    raise ValueError


def instance_of(cls: type, values: Any, key: str = "", open_fields: Mapping[str, type] | None = None) -> Any:
    """Builds the dataclass `cls` from plain data at `key`; `open_fields` as in `fields_of`. Raises as `typed` does."""
    if not isinstance(values, Mapping):
        raise SettingError(key, "null" if values is None else values, f"must be {describe(cls)}")
    prefix = f"{key}." if key else ""
    hints = {**typing.get_type_hints(cls), **(open_fields or {})}
    for name, value in values.items():
        if name not in hints:
            raise unknown_key(f"{prefix}{name}", value, fields_of(cls, open_fields, prefix))
    return cls(**{name: typed(value, hints[name], f"{prefix}{name}") for name, value in values.items()})


def row_type(hint: Any) -> type | None:
    """Returns the dataclass in the type `tuple[<dataclass>, ...]`; None for other types."""
    first = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else None
    return first if isinstance(first, type) and dataclasses.is_dataclass(first) else None


def is_text(hint: Any) -> bool:
    """Returns whether a key takes text, so that `10` typed for it stays text and does not become a number."""
    return hint is str or (str in typing.get_args(hint) and typing.get_origin(hint) is not tuple)


def describe(hint: Any) -> str:
    """Returns a type in words: `int | None` is `a whole number or null`."""
    if dataclasses.is_dataclass(hint):
        return "a group: set the keys in it"
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " or ".join("null" if part is type(None) else describe(part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        parts = typing.get_args(hint)
        if row_type(hint):
            return "a list [..] of groups {key: value, ..}"
        kind = describe(parts[0]).removeprefix("a ")
        count = "" if parts[-1] is Ellipsis else f"{len(parts)} "
        return f"a list [..] of {count}{kind}s"
    if typing.get_origin(hint) is dict:
        return f"{{name: value, ..}}, each value {describe(typing.get_args(hint)[1])}"
    return _KINDS.get(hint, str(hint))


def unknown_key(key: str, value: Any, known: Iterable[str]) -> SettingError:
    """Returns the error for a key that does not exist, which proposes the nearest one that does."""
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


@functools.cache
def _comments(cls: type) -> dict[str, str]:
    """Returns field -> the comment behind it, or in the line above, for a dataclass and its dataclass parents."""
    comments: dict[str, str] = {}
    for parent in reversed([base for base in cls.__mro__ if dataclasses.is_dataclass(base)]):
        source = textwrap.dedent(inspect.getsource(parent))
        tokens = [
            each for each in tokenize.generate_tokens(io.StringIO(source).readline) if each.type == tokenize.COMMENT
        ]
        behind = {each.start[0]: each.string.lstrip("# ") for each in tokens}
        above = {each.start[0] + 1: each.string.lstrip("# ") for each in tokens if each.line.lstrip().startswith("#")}
        for row in typing.cast(ast.ClassDef, ast.parse(source).body[0]).body:
            if isinstance(row, ast.AnnAssign) and isinstance(row.target, ast.Name):
                comments[row.target.id] = behind.get(row.end_lineno or 0) or above.get(row.lineno, "")
    return comments
