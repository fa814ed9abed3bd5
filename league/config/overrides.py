"""Reads the command line's `key=value` texts by Hydra's grammar; only values of text are taken as they are typed."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser

from league.config.fields import Field, is_text
from league.config.renamed import current_text
from mjx_arena.validation import SettingError


class Override(NamedTuple):
    """One setting of the command line."""

    key: str
    text: str  # the value as it was typed
    quoted: str  # `key=value` for Hydra, in which text has quotes
    sweeps: bool = False  # the value is several, a range or a choice


def parse_overrides(overrides: Iterable[str], known: Mapping[str, Field], multirun: bool = False) -> list[Override]:
    """Returns the settings of a command line, in its order; `known` are all keys that exist.

    Raises SettingError for a text that is not `key=value`, for a value that needs quotes, and, unless `multirun`, for
    several values.
    """
    return [_parsed(current_text(text), known, multirun) for text in overrides]


def _parsed(override: str, known: Mapping[str, Field], multirun: bool) -> Override:
    name, equals, text = override.partition("=")
    key = name.lstrip("+~").partition("@")[0]
    quoted = override
    if key in known and equals and is_text(known[key].hint) and not (multirun and _sweeps(override)):
        quoted = f"{name}={_in_quotes(text)}"
    try:
        parsed = OverridesParser.create().parse_override(quoted)
    except Exception as error:
        if not equals or not key:
            raise SettingError(
                "command line", override, "is not key=value, such as num_arenas=512; see --help"
            ) from error
        remedy = (
            f'put text with spaces, brackets or other signs into quotes twice: \'{key}=".."\', \'{key}=["..",".."]\''
        )
        raise SettingError(key, text, remedy) from error
    if parsed.is_delete():
        raise SettingError(key, "", "keys cannot be taken away; set it to another value")
    if parsed.is_sweep_override() and not multirun:
        remedy = "has several values; a list is written [a,b], one run takes one value, and -m runs one after the other"
        raise SettingError(key, text, remedy)
    return Override(key, text, quoted, parsed.is_sweep_override())


def _sweeps(override: str) -> bool:
    try:
        return OverridesParser.create().parse_override(override).is_sweep_override()
    except Exception:
        return False


def without_quotes(text: str) -> str:
    """Returns a value of text that may be in quotes, as Hydra's grammar reads it."""
    return str(OverridesParser.create().parse_override(f"text={text}").value()) if _has_quotes(text) else text


def _has_quotes(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


def _in_quotes(text: str) -> str:
    """Returns text in quotes, as one value of Hydra's grammar; null and text with quotes stay as they are."""
    if text in ("null", "") or _has_quotes(text):
        return text or "''"
    return "'" + text.replace("\\'", "\\\\'").replace("'", "\\'") + "'"
