"""Milestones of a run: copies of a checkpoint with its settings, never deleted, from which other runs can start.

Each is a folder `milestones/Phase<n>-<name>/<arena steps in millions>M` that can also be used as a run's folder.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from league.run import folder as run_folder
from league.run.folder import CHECKPOINTS, CONFIG, RUNS
from mjx_arena.validation import SettingError

_MILESTONES, _META = "milestones", "meta.json"
_KEPT = ("iteration", "arena_steps", "phase", "episode_return", "reward", "entropy", "kl", "learning_rate")


class Milestone(NamedTuple):
    """One milestone; `meta` holds its step, time, versions and figures."""

    folder: Path
    meta: dict[str, Any]

    def __str__(self) -> str:
        mean = self.meta.get("episode_return")
        shown = "" if mean is None else f", mean return {mean:.4g}"
        return f"{self.folder} ({self.meta['arena_steps'] / 1e6:.2f}M arena steps, {self.meta['time']}{shown})"


class Milestones:
    """Keeps the milestones of the run in `folder`, one every `interval` arena steps."""

    def __init__(self, folder: Path, interval: int):
        self.folder, self.interval = folder, interval

    def due(self, before: int, now: int) -> bool:
        """Returns whether a milestone lies in the arena steps (`before`, `now`]."""
        return now // self.interval > before // self.interval

    def keep(self, label: str, checkpoint: Path, row: Mapping[str, Any]) -> Path:
        """Copies `checkpoint` under the phase's `label`, with figures of the log's `row`; returns the new folder.

        Raises OSError where it cannot be written, and then removes what is incomplete.
        """
        steps = row["arena_steps"] // self.interval * self.interval
        folder = self.folder / _MILESTONES / label / f"{steps / 1e6:g}M"
        draft = folder.with_name(f".{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        try:
            shutil.copytree(checkpoint, draft / CHECKPOINTS / checkpoint.name)
            shutil.copy(self.folder / CONFIG, draft / CONFIG)
            figures = {key: row[key] for key in _KEPT if key in row and math.isfinite(row[key])}
            meta = figures | {
                "time": time.strftime("%Y-%m-%d %H:%M:%S"),
                "label": label,
                "versions": run_folder.versions(),
            }
            (draft / _META).write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)  # of a run that was resumed from before it
            os.replace(draft, folder)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return folder


def of_task(task: str) -> list[Milestone]:
    """Returns the milestones of all runs of a task under `runs/`, oldest first."""
    metas = (RUNS / task).glob(f"*/{_MILESTONES}/*/*/{_META}")
    each = [Milestone(path.parent, json.loads(path.read_text(encoding="utf-8"))) for path in metas]
    return sorted(each, key=lambda milestone: milestone.meta["time"])


def is_milestone(folder: Path) -> bool:
    """Returns whether a folder is that of a milestone."""
    return (folder / _META).is_file()


def choose(resume: str, task: str, ask=None) -> Path:
    """Returns the folder of milestone n for `milestone:<n>`; for `milestone` alone, n is the answer of `ask(question)`.

    Raises SettingError, which lists the milestones, for another n, or where `ask` is None and there is no n.
    """
    each = of_task(task)
    if not each:
        remedy = f"no run under {RUNS / task} has milestones; set milestone_interval in a run first"
        raise SettingError("resume", resume, remedy)
    listed = "\n".join(f"  {number}  {milestone}" for number, milestone in enumerate(each, start=1))
    number = resume.partition(":")[2]
    if not number and ask is not None:
        number = ask(f"milestones of {task}:\n{listed}\nwhich one? ")
    if not number.isdigit() or not 1 <= int(number) <= len(each):
        remedy = f"choose one by resume=milestone:<number> of\n{listed}"
        raise SettingError("resume", resume, remedy)
    return each[int(number) - 1].folder


def start_from(milestone: Path, folder: Path) -> None:
    """Copies a milestone's checkpoint and settings into the folder of a new run, which then starts from them."""
    shutil.copytree(milestone / CHECKPOINTS, folder / CHECKPOINTS)
    shutil.copy(milestone / CONFIG, folder / CONFIG)
