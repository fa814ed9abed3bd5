"""What every script shares on the command line: help, printing the settings, and errors without a traceback."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from league.config.compose import RunSettings, compose, parse_overrides, to_mapping
from league.config.schema import describe, explain, hints_by_key, instantiate, schema_of
from league.evaluation.policy_file import PolicyFileError
from league.run.checkpoints import CheckpointError
from league.run.loop import RunError
from mjx_arena.validation import SettingError

_REFUSED, _FAILED, _INTERRUPTED = 2, 1, 130


def run_script(main: Callable[[list[str]], int], purpose: str, conf_dir: Path, examples: tuple[str, ...] = ()) -> None:
    """Runs `main` with the command line's `key=value` arguments and exits with the status that it returns.

    Settings and checkpoints that cannot work end with one message on stderr and status 2, a run that fails with one and
    status 1. `--help` prints `purpose`, the keys and the examples; `--cfg` prints the settings and runs nothing.
    """
    arguments = sys.argv[1:]
    try:
        if {"-h", "--help"} & set(arguments):
            print(help_text(purpose, conf_dir, examples))
            status = 0
        elif "--cfg" in arguments:
            overrides = [argument for argument in arguments if "=" in argument]
            print(yaml.safe_dump(to_mapping(compose(overrides, conf_dir)), sort_keys=False), end="")
            status = 0
        else:
            status = main(arguments)
    except (SettingError, CheckpointError, PolicyFileError) as error:
        status = _complain(error, _REFUSED)
    except RunError as error:
        status = _complain(error, _FAILED)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    sys.exit(status)


def take_own_keys(overrides: list[str], cls: type) -> tuple[Any, list[str]]:
    """A script's own keys, those of the dataclass `cls`, out of the command line, and the overrides that are left.

    Raises SettingError for a value of the wrong type, or a key without a default that is not given.
    """
    hints = hints_by_key(cls)
    own = {key: value for key, value in parse_overrides(overrides).items() if key in hints}
    rest = [text for text in overrides if text.partition("=")[0] not in own]
    for field in dataclasses.fields(cls):
        if field.default is dataclasses.MISSING and field.name not in own:
            raise SettingError(field.name, "?", f"must be given: {describe(hints[field.name])}")
    try:
        chosen = OmegaConf.from_dotlist([f"{key}={value}" for key, value in own.items()])
        values = OmegaConf.to_container(OmegaConf.merge(OmegaConf.structured(schema_of(cls)), chosen))
    except OmegaConfBaseException as error:
        raise explain(error, own, hints) from error
    return instantiate(cls, values), rest  # type: ignore[arg-type]


def refuse_other_keys(overrides: list[str]) -> None:
    """Raises SettingError for the first of `overrides`, where a script has none but its own keys."""
    for text in overrides:
        key, _, value = text.partition("=")
        raise SettingError(key, value, "there is no such key; --help lists them")


def help_text(purpose: str, conf_dir: Path, examples: tuple[str, ...] = ()) -> str:
    """Usage, the choices of each group, and the top-level keys with their comments out of `config.yaml`."""
    lines = [f"usage: {Path(sys.argv[0]).name} [key=value ...] [--cfg] [--help]", "", purpose]
    lines += ["", "Groups, key=choice:"]
    for group in (*(field.name for field in dataclasses.fields(RunSettings)), "experiment"):
        choices = ", ".join(sorted(path.stem for path in (conf_dir / group).glob("*.yaml")))
        if choices:
            keys = "settings that belong together" if group == "experiment" else f"its keys: {group}.<key>"
            lines.append(f"  {group + '=':<12}{choices}  ({keys}, see conf/{group}/)")
    lines += ["", "Keys, with their defaults:"]
    _, _, keys = (conf_dir / "config.yaml").read_text(encoding="utf-8").partition("\n\n")
    lines += [f"  {line}" for line in keys.splitlines() if line]
    lines += ["", "--cfg prints every key with its value and runs nothing."]
    if examples:
        lines += ["", "Examples:", *(f"  {example}" for example in examples)]
    return "\n".join(lines)


def _complain(error: Exception, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status
