"""What can be set in a settings dataclass: keys, types in words, comments; and plain data turned into its instance."""

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
    """One key: its type, and the comment that stands behind it in the dataclass."""

    hint: Any
    comment: str


def fields_of(cls: type, open_fields: Mapping[str, type] | None = None, prefix: str = "") -> dict[str, Field]:
    """Returns dotted key -> `Field` of all that can be set in the dataclass `cls`, in its groups and its rows of lists.

    `open_fields` gives the dataclasses of fields that `cls` leaves open, such as `task`.
    """
    found, comments = {}, _comments(cls)
    for key, hint in {**typing.get_type_hints(cls), **(open_fields or {})}.items():
        if typing.get_origin(hint) is typing.ClassVar:
            continue
        found[prefix + key] = Field(hint, comments.get(key, ""))
        group = row_type(hint) or hint
        if dataclasses.is_dataclass(group):
            found |= fields_of(typing.cast(type, group), prefix=f"{prefix}{key}.")
    return found


def typed(value: Any, hint: Any, key: str) -> Any:
    """Returns plain data as an instance of the type `hint`; keys that a dataclass lacks in `value` take its defaults.

    Raises SettingError for the key whose value has another type, and for one that is not there.
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
    except SettingError as error:  # of an entry of a list or mapping, which has no key of its own
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
    for hint in hints:
        if hint is type(None):
            if value is None:
                return None
            continue
        try:
            return typed(value, hint, key)
        except SettingError:
            continue
    raise ValueError


def instance_of(cls: type, values: Any, key: str = "", open_fields: Mapping[str, type] | None = None) -> Any:
    """Returns the dataclass `cls` of nested plain data at `key`; `open_fields` as in `fields_of`. Raises as `typed`."""
    if not isinstance(values, Mapping):
        raise SettingError(key, "null" if values is None else values, f"must be {describe(cls)}")
    prefix = f"{key}." if key else ""
    hints = {**typing.get_type_hints(cls), **(open_fields or {})}
    for name, value in values.items():
        if name not in hints:
            raise unknown_key(f"{prefix}{name}", value, fields_of(cls, open_fields, prefix))
    return cls(**{name: typed(value, hints[name], f"{prefix}{name}") for name, value in values.items()})


def row_type(hint: Any) -> type | None:
    """Returns the dataclass that a field of several, `tuple[<dataclass>, ...]`, is made of; None for other fields."""
    first = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else None
    return first if isinstance(first, type) and dataclasses.is_dataclass(first) else None


def is_text(hint: Any) -> bool:
    """Returns whether a key takes text: its values are what was typed, and never numbers that look like it."""
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
    """Returns the error for a key that is not there, with the nearest one that is."""
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
    """Field -> the comment behind it, or on the line above, of a dataclass and of those that it inherits from."""
    found: dict[str, str] = {}
    for parent in reversed([base for base in cls.__mro__ if dataclasses.is_dataclass(base)]):
        source = textwrap.dedent(inspect.getsource(parent))
        tokens = [
            each for each in tokenize.generate_tokens(io.StringIO(source).readline) if each.type == tokenize.COMMENT
        ]
        behind = {each.start[0]: each.string.lstrip("# ") for each in tokens}
        above = {each.start[0] + 1: each.string.lstrip("# ") for each in tokens if each.line.lstrip().startswith("#")}
        for row in typing.cast(ast.ClassDef, ast.parse(source).body[0]).body:
            if isinstance(row, ast.AnnAssign) and isinstance(row.target, ast.Name):
                found[row.target.id] = behind.get(row.end_lineno or 0) or above.get(row.lineno, "")
    return found
