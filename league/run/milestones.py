"""Milestones of a run: whole copies of a checkpoint with its settings, which nothing deletes and others can start from.

Each is a folder `milestones/Phase<n>-<name>/<arena steps in millions>M` that serves as a run's folder too.
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
    folder: Path
    meta: dict[str, Any]

    def __str__(self) -> str:
        mean = self.meta.get("episode_return")
        shown = "" if mean is None else f", mean return {mean:.4g}"
        return f"{self.folder} ({self.meta['arena_steps'] / 1e6:.2f}M arena steps, {self.meta['time']}{shown})"


class Milestones:
    """Of the run in `folder`, one every `interval` arena steps."""

    def __init__(self, folder: Path, interval: int):
        self.folder, self.interval = folder, interval

    def due(self, before: int, now: int) -> bool:
        """Whether one lies after `before` arena steps and not after `now`."""
        return now // self.interval > before // self.interval

    def keep(self, label: str, checkpoint: Path, row: Mapping[str, Any]) -> Path:
        """Copies `checkpoint` under the phase's `label`, with what `row` says of it; returns the milestone's folder.

        Raises OSError where it cannot be written; nothing half-made stays.
        """
        steps = row["arena_steps"] // self.interval * self.interval
        folder = self.folder / _MILESTONES / label / f"{steps / 1e6:g}M"
        draft = folder.with_name(f".{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        try:
            shutil.copytree(checkpoint, draft / CHECKPOINTS / checkpoint.name)
            shutil.copy(self.folder / CONFIG, draft / CONFIG)
            found = {key: row[key] for key in _KEPT if key in row and math.isfinite(row[key])}
            meta = found | {
                "time": time.strftime("%Y-%m-%d %H:%M:%S"),
                "label": label,
                "versions": run_folder.versions(),
            }
            (draft / _META).write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)  # of a run that went back to before it
            os.replace(draft, folder)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return folder


def of_task(task: str) -> list[Milestone]:
    """Of all runs of a task under `runs/`, oldest first."""
    found = (RUNS / task).glob(f"*/{_MILESTONES}/*/*/{_META}")
    each = [Milestone(path.parent, json.loads(path.read_text(encoding="utf-8"))) for path in found]
    return sorted(each, key=lambda milestone: milestone.meta["time"])


def is_milestone(folder: Path) -> bool:
    return (folder / _META).is_file()


def choose(resume: str, task: str, ask=None) -> Path:
    """What `milestone:<n>` means, or `milestone` alone by `ask`, a function of a question, or None for nobody to ask.

    Raises SettingError, with the list, where there is nobody or no such number.
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
    """Makes the run of `folder`, which is new, begin with a copy of a milestone."""
    shutil.copytree(milestone / CHECKPOINTS, folder / CHECKPOINTS)
    shutil.copy(milestone / CONFIG, folder / CONFIG)
