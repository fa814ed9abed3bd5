"""Builds the text of `--help` from the settings dataclasses and the choices in `conf/`."""

import dataclasses
from typing import Any

import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from league.config.compose import CONF, known_fields, register
from league.config.fields import Field
from league.settings import RunSettings

_FLAGS = """Flags: --multirun (-m) runs all of several values, key=1,2 or key=choice(1,2); --cfg job prints all keys and
their values, and runs nothing; --info, --config-dir, --shell-completion and keys hydra.* are Hydra's: --hydra-help."""


def help_text(name: str, settings: type, purpose: str, examples: tuple[str, ...], program: str) -> str:
    """Returns the text: usage, the choices of each group, keys with defaults and comments, flags and examples."""
    register(name, settings)
    lines = [f"usage: {program} [key=value ...] [flags]", "", purpose]
    if issubclass(settings, RunSettings):
        lines += ["", "Groups, key=choice; the keys of a group are set by group.key=value, and --cfg job shows them:"]
        lines += [f"  {group + '=':<12}{', '.join(choices)}" for group, choices in _groups().items()]
    lines += ["", "Keys, with their defaults:"]
    known = known_fields(settings)
    lines += [f"  {_line(key, value, known[key])}" for key, value in _defaults(settings).items()]
    lines += ["", _FLAGS, "", "Examples:", *(f"  {example}" for example in examples)]
    return "\n".join(lines)


def _groups() -> dict[str, list[str]]:
    """Returns group -> its choices, from `conf/` and from registered defaults."""
    names = ("task", "physics", "league", "experiment")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return {name: loader.get_group_options(name) for name in names}


def _defaults(settings: type) -> dict[str, Any]:
    """Returns the keys that have a plain default, with that; groups and keys without a default are left out."""
    plain = {field.name: field.default for field in dataclasses.fields(settings)}
    return {key: value for key, value in plain.items() if value is not dataclasses.MISSING}


def _line(key: str, value: Any, field: Field) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    shown = yaml.safe_dump(plain, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"{key}: {shown}" + (f"  # {field.comment}" if field.comment else "")
