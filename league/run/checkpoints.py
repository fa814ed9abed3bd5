"""Checkpoints of a whole run state with Orbax: saved completely or not at all, and checked when restored.

With each state goes `meta`: data of the caller (settings, versions), and the shape, dtype and checksum of every array.
A checkpoint that differs from what is needed, or from what was saved, is refused.
"""

import errno
import functools
import logging
import os
import shutil
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.tree_util import tree_leaves_with_path
from orbax.checkpoint import checkpoint_managers as policies

from league.run.host_state import fetched, placed, plain

_SPEC, _USER = "arrays", "user"
_SHOWN = 4  # differences that a message lists


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or must not be used. `str()` is one message for people."""


class Checkpoints:
    """The checkpoints of one folder, numbered by iteration (`step`)."""

    def __init__(self, folder: str | Path, keep_interval: int | None = None, read_only: bool = False):
        """Opens or creates `folder`.

        Args:
          folder: holds one folder per finished step. What killed saves left behind is removed, unless `read_only`.
          keep_interval: steps at multiples of it are never deleted; else only the latest two are kept.
          read_only: checkpoints are only read; nothing in the folder changes, so a run may be writing there.

        Raises CheckpointError where the folder cannot be used.
        """
        _quieten_orbax()
        self.folder = Path(folder).resolve()
        keep: list[Any] = [policies.LatestN(2)] + ([policies.EveryNSteps(keep_interval)] if keep_interval else [])
        several, own = jax.process_count() > 1, jax.process_index()  # each by itself: none waits for another's save
        options = ocp.CheckpointManagerOptions(
            create=not read_only and not several,
            read_only=read_only,
            cleanup_tmp_directories=not read_only,
            enable_async_checkpointing=False,  # a donated state must not change under a save that still reads it
            save_decision_policy=policies.FixedIntervalPolicy(1),
            preservation_policy=policies.AnyPreservationPolicy(keep),
            multiprocessing_options=ocp.options.MultiprocessingOptions(own, {own} if several else None),
        )
        try:
            if not read_only:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(self.folder, options=options)
        except OSError as error:
            raise CheckpointError(f"cannot keep checkpoints in {self.folder}: {error.strerror or error}") from error

    def steps(self) -> list[int]:
        """Returns the finished steps, oldest first."""
        return sorted(self._manager.all_steps())

    def latest_step(self) -> int | None:
        """Returns the latest finished step, or None."""
        return max(self.steps(), default=None)

    def save(self, step: int, state: Any, meta: dict[str, Any]) -> None:
        """Writes `state` as `step`, which is finished when this returns. `meta` is plain data for JSON.

        Raises CheckpointError where the disk is full or read-only, or `step` exists already; older steps stay.
        """
        leaves = _leaves(fetched(state))
        record = {_USER: meta, _SPEC: _describe(leaves, checksums=True)}
        args = ocp.args.Composite(state=ocp.args.PyTreeSave(_without_empty(leaves)), meta=ocp.args.JsonSave(record))
        try:
            saved, reason = self._manager.save(step, args=args), f"it holds {self.latest_step()} already"
        except Exception as error:
            for leftover in self.folder.glob(f"{step}.orbax-checkpoint-tmp*"):
                shutil.rmtree(leftover, ignore_errors=True)
            raise CheckpointError(f"cannot save checkpoint {step} in {self.folder}: {_reason(error)}") from error
        if not saved:
            raise CheckpointError(f"cannot save checkpoint {step} in {self.folder}: {reason}")

    def meta(self, step: int | None = None) -> dict[str, Any]:
        """Returns the `meta` that was saved with `step`, or with the latest step. Raises CheckpointError."""
        step = self._existing(step)
        return self._record(step)[_USER]

    def saved_at(self, step: int) -> float:
        """Returns when `step` was saved, in seconds since 1970. Raises CheckpointError if there is none."""
        step = self._existing(step)
        nanoseconds = self._manager.metadata(step).commit_timestamp_nsecs
        return nanoseconds / 1e9 if nanoseconds else (self.folder / str(step)).stat().st_mtime

    def restore(
        self, target: Any, step: int | None = None, expected: Mapping[str, Any] | None = None, part: str = ""
    ) -> tuple[Any, dict[str, Any]]:
        """Returns the state and the meta of `step`, or of the latest finished step.

        `target` is a state, or its shapes, dtypes and shardings, that the result must match; `expected` holds entries
        that the meta must have. With `part`, a dotted path such as `learner.policy`, `target` and result are only that
        part of the state, and the rest may differ. Raises CheckpointError, which says what differs, or that the
        checkpoint is damaged and which is the one before.
        """
        host, meta = self.read(target, step, expected, part)
        return placed(host, target), meta

    def read(
        self,
        target: Any,
        step: int | None = None,
        expected: Mapping[str, Any] | None = None,
        part: str = "",
        former: str | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Returns what `restore` does, as `fetched` arrays on the host.

        `former` is a dotted path to what earlier versions saved too, and what is passed over.
        """
        step, wanted = self._existing(step), _leaves(plain(target))
        if part:
            wanted = {f"{part}.{path}" if path else part: leaf for path, leaf in wanted.items()}
        record = self._record(step)
        meta = record[_USER]
        differences = [
            f"its {key} is {meta.get(key)}, wanted {value}"
            for key, value in (expected or {}).items()
            if meta.get(key) != value
        ]
        spec = {path: _keys_as_data(entry) for path, entry in record[_SPEC].items() if path in wanted or not part}
        if former:
            spec = {path: entry for path, entry in spec.items() if not path.startswith(f"{former}.")}
        differences += _differences(spec, _describe(wanted, checksums=False))
        if differences:
            raise CheckpointError(f"checkpoint {step} in {self.folder} is of another kind of run: {_some(differences)}")
        try:
            item = _without_empty(wanted)
            how = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), item)
            state_args = ocp.args.PyTreeRestore(item, restore_args=how, partial_restore=True)
            leaves = self._manager.restore(step, args=ocp.args.Composite(state=state_args))["state"]
        except Exception as error:
            raise self._damaged(step, _reason(error)) from error
        now = _describe(leaves, checksums=True)
        changed = [path for path in now if now[path] != spec[path]]
        if changed:
            raise self._damaged(step, f"other contents than were saved in {_some(changed)}")
        leaves |= {path: np.zeros(leaf.shape, leaf.dtype) for path, leaf in wanted.items() if path not in leaves}
        return jax.tree.unflatten(jax.tree.structure(target), [leaves[path] for path in wanted]), meta

    def drop_later(self, step: int) -> list[int]:
        """Deletes the steps after `step`, so that a run can continue from there. Returns them."""
        later = [other for other in self.steps() if other > step]
        for other in later:
            self._manager.delete(other)
        return later

    def close(self) -> None:
        """Closes Orbax's manager of the folder."""
        self._manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _existing(self, step: int | None) -> int:
        steps = self.steps()
        if not steps:
            raise CheckpointError(f"{self.folder} holds no finished checkpoint")
        if step is None:
            return steps[-1]
        if step not in steps:
            raise CheckpointError(f"{self.folder} holds no checkpoint {step}; it holds {', '.join(map(str, steps))}")
        return step

    def _record(self, step: int) -> dict[str, Any]:
        try:
            record = self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))["meta"]
        except Exception as error:
            raise self._damaged(step, _reason(error)) from error
        if not isinstance(record, dict) or _SPEC not in record or _USER not in record:
            raise self._damaged(step, "its description is incomplete")
        return record

    def _damaged(self, step: int, reason: str) -> CheckpointError:
        before = [other for other in self.steps() if other < step]
        remedy = f"the one before it is resume_step={before[-1]}" if before else "there is none before it"
        return CheckpointError(f"checkpoint {step} in {self.folder} is damaged ({reason}); {remedy}")


@functools.cache
def _quieten_orbax() -> None:
    """Silences Orbax's own reports: it raises an error for what goes wrong, and logs tracebacks as well.

    Reads and writes that end after another one has failed and closed their event loop report too.
    """
    for name in ("absl", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    report = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            report(unraisable)

    sys.unraisablehook = hook


def _leaves(tree: Any) -> dict[str, Any]:
    """Returns path -> leaf of a tree of arrays, or of `ShapeDtypeStruct`s in their place."""
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in tree_leaves_with_path(tree)}


def _without_empty(leaves: dict[str, Any]) -> dict[str, Any]:
    """Returns the leaves without arrays of size zero, which hold nothing and which Orbax refuses."""
    return {path: leaf for path, leaf in leaves.items() if leaf.size}


def _describe(leaves: dict[str, Any], checksums: bool) -> dict[str, list]:
    """Returns path -> [shape, dtype, CRC-32 of the bytes or None]."""
    return {
        path: [list(leaf.shape), str(leaf.dtype), zlib.crc32(leaf.tobytes()) if checksums else None]
        for path, leaf in leaves.items()
    }


def _keys_as_data(entry: list) -> list:
    """Returns the description of an array as it is written now; before, random keys were described as such."""
    shape, dtype, checksum = entry
    return [[*shape, 2], "uint32", checksum] if dtype == "key<fry>" else entry


def _differences(saved: dict[str, list], wanted: dict[str, list]) -> list[str]:
    """Returns messages for what differs between arrays; those of size zero are ignored."""
    saved, wanted = ({path: spec for path, spec in each.items() if 0 not in spec[0]} for each in (saved, wanted))
    differences = [f"{path} is not in it" for path in wanted if path not in saved]
    differences += [f"{path} is not wanted" for path in saved if path not in wanted]
    for path in wanted.keys() & saved.keys():
        (shape, dtype, _), (other_shape, other_dtype, _) = saved[path], wanted[path]
        if (shape, dtype) != (other_shape, other_dtype):
            differences.append(f"{path} is {dtype}{shape}, wanted {other_dtype}{other_shape}")
    return sorted(differences)


def _some(texts: list[str]) -> str:
    more = len(texts) - _SHOWN
    return "; ".join(texts[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _reason(error: Exception) -> str:
    """Returns the operating system's message, or else the first line of the error, shortened."""
    cause: BaseException = error
    while not isinstance(cause, OSError) and cause.__cause__ is not None:
        cause = cause.__cause__
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause) or type(cause).__name__
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
        if os.strerror(code) in text:
            return os.strerror(code)
    first = text.strip().splitlines()[0]
    return first if len(first) <= 160 else first[:157] + "..."
