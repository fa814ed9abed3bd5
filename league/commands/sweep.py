"""Runs of a sweep (`--multirun`): their folders, how a stopped one continues, and the table at the end.

The folder of a sweep is named after its command line, so the same command continues it: runs that have finished are not
repeated, and the others go on from their last checkpoint.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from rich.console import Console
from rich.table import Table

from league.config.overrides import Override
from league.evaluation.policy_file import PolicyFileError
from league.run import folder as run_folder
from league.run.checkpoints import CheckpointError
from league.run.loop import RunError
from league.settings import RunSettings
from mjx_arena.validation import SettingError

_TABLE, _PROBLEM = "sweep.csv", "problem.txt"
_SHOWN = ("iteration", "episode_return", "league/win_rate", "league/elo")  # metrics in the table; the file has all


def folder_of(name: str, written: Sequence[Override]) -> Path:
    """Returns the folder of a sweep of the command `name`: `hydra.sweep.dir`, or one named after the command line."""
    for override in written:
        if override.key == "hydra.sweep.dir":
            return Path(override.text)
    line = "\n".join(sorted(each.quoted for each in written if not each.key.startswith("hydra")))
    return run_folder.RUNS / "sweeps" / f"{name}-{hashlib.sha256(line.encode()).hexdigest()[:8]}"


def arguments(name: str, written: Sequence[Override]) -> list[str]:
    """Returns overrides for Hydra: the sweep's folder, and names for its runs' folders made of the keys that vary."""
    own = [each for each in written if not each.key.startswith("hydra")]
    varies = any(each.sweeps for each in own)
    fixed = ",".join(each.key for each in own if varies and not each.sweeps)
    naming = f"hydra.job.config.override_dirname.exclude_keys=[{fixed}]"
    return [f"hydra.sweep.dir='{folder_of(name, written)}'", naming]


def jobs(written: Sequence[Override]) -> list[list[str]]:
    """Returns the overrides of every run of a sweep; for another sweeper than Hydra's basic one, the fixed ones."""
    own = [each for each in written if not each.key.startswith("hydra")]
    if any(each.key == "hydra/sweeper" for each in written):
        return [[each.quoted for each in own if not each.sweeps]]
    parsed = OverridesParser.create().parse_overrides([each.quoted for each in own])
    return [list(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]


def run(function: Callable[[Any, dict[str, Override]], Any], settings: Any, written: dict, folder: Path) -> Any:
    """Runs one job in its folder and returns its result; for an error writes `problem.txt` there and returns None."""
    if isinstance(settings, RunSettings) and settings.run_dir is None and settings.resume is None:
        begun = bool(run_folder.finished_steps(folder))
        settings = replace(settings, **{"resume" if begun else "run_dir": str(folder)})
    problem = folder / _PROBLEM
    problem.unlink(missing_ok=True)
    try:
        return function(settings, written)
    except (SettingError, CheckpointError, PolicyFileError, RunError) as error:
        problem.write_text(f"{error}\n", encoding="utf-8")
        print(f"error: {error}")
        return None


def report(name: str, written: Sequence[Override]) -> None:
    """Prints a table of a sweep's runs, their last metrics and folders, and writes all metrics to `sweep.csv`."""
    folder = folder_of(name, written)
    rows = [_row(path, written) for path in sorted(folder.glob("[!.]*")) if path.is_dir()]
    if not rows:
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with (folder / _TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    varied = [each.key for each in written if each.sweeps and not each.key.startswith("hydra")]
    shown = [key for key in (*varied, *_SHOWN, "problem", "run") if any(key in row for row in rows)]
    table = Table(title=f"{len(rows)} runs in {folder}")
    for key in shown:
        table.add_column(Path(key).name if key in _SHOWN else key, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(key, "")) for key in shown))
    console = Console()
    console.print(table)
    console.print(f"wrote {folder / _TABLE}", highlight=False, soft_wrap=True)


def _row(path: Path, written: Sequence[Override]) -> dict[str, Any]:
    """Returns the row of one run: the keys that vary, its last metrics, its folder."""
    row: dict[str, Any] = {}
    config, log, problem = path / run_folder.CONFIG, path / run_folder.METRICS, path / _PROBLEM
    if config.is_file():
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
        row |= {each.key: _at(settings, each.key) for each in written if each.sweeps}
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    row |= json.loads(lines[-1]) if lines else {}
    row |= {"problem": problem.read_text(encoding="utf-8").strip()} if problem.is_file() else {}
    return row | {"run": path.name, "folder": str(path)}


def _at(settings: Any, key: str) -> Any:
    for name in key.split("."):
        settings = settings.get(name, "") if isinstance(settings, dict) else ""
    return settings.get("name", settings) if isinstance(settings, dict) else settings


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
