"""Restores the state of a run from a checkpoint, on as many devices and processes as there are now."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from league import reshard
from league.run import folder as run_folder
from league.run import team
from league.run.checkpoints import Checkpoints
from league.run.host_state import fetched, placed, plain
from league.selfplay import RunState, SelfPlay, lasting
from league.settings import RunSettings

_CHANGES = "changes.jsonl"


def restored(
    trainer: SelfPlay,
    checkpoints: Checkpoints | None,
    settings: RunSettings,
    changes: Mapping[str, tuple[Any, Any]],
    announce: Callable[[str], None],
) -> tuple[RunState, int]:
    """Returns the state to continue from, and its iteration; on another number of devices, with matches dealt anew.

    All processes of the run call it together; only the first has `checkpoints`. Raises CheckpointError there.
    """
    meta = team.told(lambda: checkpoints.meta(settings.resume_step) if checkpoints else None)
    before, now = meta["settings"].get("devices"), settings.devices
    target = trainer.state_shape()
    saved = plain(lasting(target))
    if checkpoints:
        own = {"task": settings.task_name}
        host, _ = checkpoints.read(saved, settings.resume_step, own, former="matches.broken")
    else:
        host = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), saved)
    host = team.shared(host)
    if before != now:
        try:
            matches = reshard.dealt(host.matches, before, trainer.mesh.size, settings.league.mirror_fraction)
        except ValueError:
            matches = fetched(lasting(trainer.init()).matches)
            announce(f"on {now} devices, not {before}: the matches in play begin afresh")
        else:
            announce(f"on {now} devices, not {before}: the matches in play go on there")
        host = host.replace(matches=matches)
    empty = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), plain(target.matches.history))
    state = placed(host.replace(matches=host.matches.replace(history=empty)), target)
    done = int(host.iteration)
    announce(f"resuming {settings.resume} from the checkpoint of iteration {done}")
    if "ppo.learning_rate" in changes:
        state = trainer.with_learning_rate(state, settings.ppo.learning_rate)
    if settings.phase is not None:
        state = trainer.in_phase(state, settings.phase)
    for difference in _version_differences(meta["versions"]):
        announce(f"warning: {difference}; numbers may not repeat bit for bit")
    for later in checkpoints.drop_later(done) if checkpoints else []:
        announce(f"dropped the checkpoint of iteration {later}, which comes after it")
    return state, done


def log_changes(
    folder: Path, changes: Mapping[str, tuple[Any, Any]], iteration: int, announce: Callable[[str], None]
) -> None:
    """Announces the settings that have changed, and appends them to `changes.jsonl`."""
    if not changes or not team.is_first():
        return
    for key, (before, now) in changes.items():
        announce(f"from iteration {iteration} on: {key}={now}, was {before}")
    row = {"iteration": iteration, "time": time.strftime("%Y-%m-%d %H:%M:%S"), "changes": changes}
    with (folder / _CHANGES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _version_differences(then: dict[str, Any]) -> list[str]:
    now = run_folder.versions()
    return [f"{name} was {then.get(name)} and is {now[name]}" for name in now if then.get(name) != now[name]]
