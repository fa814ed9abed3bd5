"""What every script shares on the command line: help, printing the settings, and errors without a traceback."""

import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from league.config import compose, to_mapping
from mjx_arena.settings import SettingError
from ppo.checkpoints import CheckpointError
from ppo.run_loop import RunError

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
    except (SettingError, CheckpointError) as error:
        status = _complain(error, _REFUSED)
    except RunError as error:
        status = _complain(error, _FAILED)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    sys.exit(status)


def help_text(purpose: str, conf_dir: Path, examples: tuple[str, ...] = ()) -> str:
    """Usage, the choices of each group, and the top-level keys with their comments out of `config.yaml`."""
    lines = [f"usage: {Path(sys.argv[0]).name} [key=value ...] [--cfg] [--help]", "", purpose]
    lines += ["", "Groups, key=choice:"]
    for group in sorted(path for path in conf_dir.iterdir() if path.is_dir()):
        choices = ", ".join(sorted(path.stem for path in group.glob("*.yaml")))
        lines.append(f"  {group.name + '=':<12}{choices}  (its keys: {group.name}.<key>, see conf/{group.name}/)")
    lines += ["", "Keys, with their defaults:"]
    _, _, keys = (conf_dir / "config.yaml").read_text(encoding="utf-8").partition("_self_\n")
    lines += [f"  {line}" for line in keys.splitlines() if line]
    lines += ["", "--cfg prints every key with its value and runs nothing."]
    if examples:
        lines += ["", "Examples:", *(f"  {example}" for example in examples)]
    return "\n".join(lines)


def _complain(error: Exception, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status
