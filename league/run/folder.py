"""The folder of a run, with `config.yaml`, `metrics.jsonl`, `checkpoints/` and more: created, found, locked here."""

import contextlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from league.config.renamed import completed
from mjx_arena.drafts import draft_of
from mjx_arena.validation import SettingError

CONFIG, METRICS, CHECKPOINTS, EVENTS = "config.yaml", "metrics.jsonl", "checkpoints", "tensorboard"
FILMS = "films"
RUNS = Path("runs")
_VERSIONED = ("jax", "jaxlib", "mujoco", "mujoco-mjx", "flax", "optax", "orbax-checkpoint")
_FINISHED = "commit_success.txt"  # Orbax writes it into a checkpoint last


def create(run_dir: str | None, task: str) -> Path:
    """Creates the folder of a new run, `run_dir` or `runs/<task>/<date-time>`, and returns it.

    Raises SettingError if it cannot be written, or holds a run already.
    """
    folder = Path(run_dir) if run_dir else _unused(RUNS / task / time.strftime("%Y-%m-%d_%H-%M-%S"))
    if finished_steps(folder):
        remedy = f"there is a run in this folder; go on with it by resume={folder}, or name another folder"
        raise SettingError("run_dir", folder, remedy)
    return made_writable(folder, "run_dir")


def made_writable(folder: Path, key: str) -> Path:
    """Creates a folder and tries to write to it; returns it. Raises SettingError for the key `key` if that fails."""
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        remedy = f"cannot write there ({error.strerror}); name a folder that you may write to"
        raise SettingError(key, folder, remedy) from error
    return folder


def newest(task: str) -> list[Path]:
    """Returns the folders of the task's runs that have a finished checkpoint, the latest written first."""
    return sorted((path for path in (RUNS / task).glob("*") if finished_steps(path)), key=_written_at, reverse=True)


def newest_of_all() -> Path:
    """Returns the folder of the run, of any task, that wrote a checkpoint last. Raises SettingError without one."""
    found = [path for folder in RUNS.glob("*") for path in newest(folder.name)[:1]]
    if not found:
        raise SettingError("run", "latest", f"there is no run with a finished checkpoint in {RUNS.resolve()}")
    return max(found, key=_written_at)


def find(resume: str) -> Path:
    """Returns the folder that `resume` names. Raises SettingError if it holds no run to resume."""
    folder = Path(resume)
    if not (folder / CONFIG).is_file():
        raise SettingError("resume", resume, f"is no run's folder: it holds no {CONFIG}; `latest` finds the newest run")
    if not finished_steps(folder):
        remedy = f"holds no finished checkpoint; start the run anew with run_dir={folder}"
        raise SettingError("resume", resume, remedy)
    return folder


def finished_steps(folder: Path) -> list[int]:
    """Returns the steps of a run's finished checkpoints, oldest first."""
    marks = (folder / CHECKPOINTS).glob(f"*/{_FINISHED}")
    return sorted(int(path.parent.name) for path in marks if path.parent.name.isdigit())


def read_config(folder: Path) -> Any:
    """Returns the settings of a run as plain data. Raises SettingError if they cannot be read."""
    try:
        return completed(yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise SettingError("resume", folder, f"its {CONFIG} cannot be read ({reason}); restore that file") from error


def write_config(folder: Path, settings: dict[str, Any]) -> None:
    """Replaces `config.yaml` in one step."""
    with draft_of(folder / CONFIG) as draft:
        draft.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks the folder against a second training process while the block runs, at most until this process ends.

    Raises SettingError if another process holds the lock. Does nothing on platforms without `fcntl`.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingError("run_dir", folder, "another process is training there; stop it first") from error
        yield
    finally:
        os.close(handle)


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in _VERSIONED}


def _unused(path: Path) -> Path:
    """Returns `path`, or the first of `path-2`, `path-3`, ... that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def _written_at(folder: Path) -> float:
    return (folder / CHECKPOINTS / str(finished_steps(folder)[-1]) / _FINISHED).stat().st_mtime
