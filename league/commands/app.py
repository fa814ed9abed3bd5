"""The command line of every command: a Hydra application that refuses bad input with one message before it runs."""

import gc
import itertools
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from league.commands import sweep
from league.commands.help import help_text
from league.config.compose import compose, conf_of, from_mapping, known_fields, register, with_game_file
from league.config.overrides import Override, parse_overrides
from league.evaluation.policy_file import PolicyFileError
from league.run.checkpoints import CheckpointError
from league.run.dump_file import DumpError
from league.run.loop import RunError
from mjx_arena.validation import SettingError

_REFUSED, _FAILED, _INTERRUPTED = 2, 1, 130
# Objects between two collections: tracing a program makes many, all of them needed, and Python would look through them
# for a tenth of a start.
_COLLECT_EVERY = 200_000
# Flags that show something and run nothing.
_SHOWING = ("--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc", "--version")
_TAKES_VALUE = ("--cfg", "-c", "--info", "-i", "--package", "-p", "--config-dir", "-cd", "--config-name", "-cn")


class Command(NamedTuple):
    """The command `mjx-arena <name>`, from the module `league.commands.<name>`."""

    name: str
    settings: type
    purpose: str
    examples: tuple[str, ...]
    run: Callable[[Any, dict[str, Override]], Any]  # (settings, overrides by key) -> result for a sweep, or SystemExit


COMMANDS = ("train", "watch", "evaluate", "record", "export", "plot", "report", "benchmark")


def command(name: str) -> Command:
    """Returns the command `name`; imports its module only now, so that others need not wait for it."""
    module = import_module(f"league.commands.{name}")
    return Command(name, module.SETTINGS, module.PURPOSE, module.EXAMPLES, module.run)


def main(name: str, arguments: list[str] | None = None) -> None:
    """Runs a command with `arguments`; None: the command line's. Exits with 1 for a failed run, 2 for bad input."""
    gc.set_threshold(_COLLECT_EVERY)
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = command(name)
    try:
        flags, overrides = _split(arguments)
        multirun = "-m" in flags or "--multirun" in flags
        if {"-h", "--help"} & set(flags):
            print(help_text(name, chosen.settings, chosen.purpose, chosen.examples, Path(sys.argv[0]).name))
            sys.exit(0)
        overrides = with_game_file(overrides, chosen.settings)
        written = parse_overrides(overrides, known_fields(chosen.settings), multirun)
        register(name, chosen.settings)
        if not set(flags) & set(_SHOWING):
            for each in sweep.jobs(written) if multirun else [overrides]:
                compose(each, chosen.settings, name, extra_dir=_extra_dir(flags))
        extra = sweep.arguments(name, written) if multirun else []
        logging.root.handlers.clear()  # of imported packages: each line of --info would come twice
        sys.argv[1:] = [*flags, *(each.quoted for each in written), *extra]
        hydra.main(version_base="1.3", config_path=str(conf_of(chosen.settings)), config_name=name)(_job)()
        if multirun:
            sweep.report(name, written)
    except SettingError as error:
        sys.exit(complain(error))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def cli() -> None:
    """Runs `mjx-arena <command> ...`."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name not in COMMANDS:
        print(f"usage: mjx-arena {{{'|'.join(COMMANDS)}}} [key=value ...] [--help]")
        sys.exit(0 if name in ("-h", "--help") else _REFUSED)
    sys.argv = [f"{sys.argv[0]} {name}", *sys.argv[2:]]
    main(name)


def complain(error: Exception) -> int:
    """Prints an error as one message; returns its exit status."""
    print(f"error: {error}", file=sys.stderr)
    return _FAILED if isinstance(error, RunError) else _REFUSED


def _job(config: DictConfig) -> Any:
    """Runs one job of Hydra: a single run, or one of a sweep, which goes on if a run fails."""
    own = HydraConfig.get()
    chosen = command(str(own.job.config_name))
    try:
        settings = from_mapping(OmegaConf.to_container(config, resolve=True), chosen.settings)
        parsed = parse_overrides(own.overrides.task, known_fields(chosen.settings))
        written = {each.key: each for each in parsed}
        if own.mode == RunMode.MULTIRUN:
            return sweep.run(chosen.run, settings, written, Path(own.runtime.output_dir))
        return chosen.run(settings, written)
    except (SettingError, CheckpointError, PolicyFileError, DumpError, RunError) as error:
        sys.exit(complain(error))


def _extra_dir(flags: list[str]) -> str | None:
    """Returns the folder that `--config-dir` names, or None."""
    return next((value for flag, value in itertools.pairwise(flags) if flag in ("--config-dir", "-cd")), None)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Splits arguments into Hydra's flags with their values, and overrides."""
    flags, overrides, takes = [], [], False
    for argument in arguments:
        if takes or argument.startswith("-"):
            flags.append(argument)
            takes = argument in _TAKES_VALUE
        else:
            overrides.append(argument)
    return flags, overrides
