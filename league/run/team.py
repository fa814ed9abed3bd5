"""The processes that train one run together, on this machine or on several hosts, joined by JAX's own runtime.

All of them run the same programs in the same order; the first alone writes. Alone, a process is the first of one.
"""

import atexit
import contextlib
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from league.settings import DistributedSettings
from mjx_arena.validation import SettingError, require

# How launchers tell a process its number and the count: Slurm's srun, Open MPI, MPICH and Intel MPI.
_LAUNCHERS = (
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
)
# Of these JAX knows the first one's address by itself.
_ADDRESS_KNOWN = ("SLURM_JOB_ID", "OMPI_MCA_orte_hnp_uri")
_SILENCE = 15  # s after which a host that is not heard of is taken for lost
_TASKS = Path("/proc/self/task")
_STATUS = re.compile("[A-Z_]+: ")  # how messages of XLA's runtime begin


class Place(NamedTuple):
    """A process's place among those of its run."""

    index: int = 0
    count: int = 1
    coordinator: str | None = None  # host:port at which the first one listens; None: JAX asks the launcher
    gpu: int | None = None  # the only one it uses; None: all of its host


def place_of(settings: DistributedSettings, environment: Mapping[str, str] = os.environ) -> Place:
    """Returns the place that the settings give this process, or else its launcher. Raises SettingError if in doubt."""
    launched = next((names for names in _LAUNCHERS if int(environment.get(names[1], "1")) > 1), None)
    index, count = (int(environment[name]) for name in launched) if launched else (None, None)
    index = index if settings.process_id is None else settings.process_id
    count = count if settings.num_processes is None else settings.num_processes
    if settings.coordinator is None:
        if not launched:
            return Place()
        known = any(name in environment for name in _ADDRESS_KNOWN)
        require(known, "distributed.coordinator", None, "this launcher does not tell it; give host:port of process 0")
    for key, value in (("process_id", index), ("num_processes", count)):
        require(value is not None, f"distributed.{key}", value, "is needed beside distributed.coordinator")
    assert index is not None and count is not None
    require(0 <= index < count, "distributed.process_id", index, f"must lie between 0 and {count - 1}")
    return Place(index, count, settings.coordinator)


def join(place: Place) -> None:
    """Waits for all processes of the run. Raises SettingError where JAX has looked for devices before; now it has."""
    if place.count == 1:
        return
    local = place.gpu is not None
    if place.coordinator and not local:
        _check_own_name(place.coordinator)
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM for itself
    if local:
        jax.config.update("jax_check_proxy_envs", False)  # of no concern within a machine
    try:
        jax.distributed.initialize(
            coordinator_address=place.coordinator,
            num_processes=place.count,
            process_id=place.index,
            local_device_ids=place.gpu,
            coordinator_bind_address=place.coordinator if local else None,
            heartbeat_timeout_seconds=_SILENCE,
        )
    except RuntimeError as error:
        if "called" not in str(error):  # too late, or for a second time
            raise
        remedy = "needs a Python process that has not used JAX yet; give each run a command of its own"
        raise SettingError("processes" if local else "distributed", place.count, remedy) from error
    before = set(_threads())
    jax.devices()
    _yield_to_others(before)
    with _no_output():  # Gloo prints a line when it connects
        multihost_utils.sync_global_devices("joined")


def leave() -> None:
    """Waits until all processes of the run have come to their end."""
    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def abandon(status: int) -> None:
    """Lets this process exit at once with `status`, where JAX would first wait for processes that may be gone."""

    def leave_now() -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
        os._exit(status)

    if jax.distributed.is_initialized():
        atexit.register(leave_now)


def is_of_runtime(error: Exception) -> bool:
    """Returns whether XLA's runtime raised an error; for a lost process it may be either of two kinds.

    It is a ValueError where a collective fails within the call (`findings/jax_lost_peer_exceptions.sh`).
    """
    return isinstance(error, jax.errors.JaxRuntimeError) or bool(_STATUS.match(str(error)))


def is_first() -> bool:
    """Returns whether this process is the one that writes."""
    return jax.process_index() == 0


def agreed(code: int) -> int:
    """Returns the largest of the numbers that the processes call this with, all of them together."""
    return code if jax.process_count() == 1 else int(multihost_utils.process_allgather(np.int32(code)).max())


def told(make: Callable[[], Any]) -> Any:
    """Returns on every process the plain data that `make()` returns on the first.

    Raises there what `make` raises, and SystemExit elsewhere, where the first one's message is enough.
    """
    if jax.process_count() == 1:
        return make()
    content, error = b"", None
    if is_first():
        try:
            content = json.dumps(make()).encode()
        except Exception as raised:
            error = raised
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    if error is not None:
        raise error
    if size == 0:
        raise SystemExit(2)
    letters = np.zeros(size, np.uint8)
    letters[:] = np.frombuffer(content, np.uint8) if is_first() else 0
    return json.loads(bytes(np.asarray(multihost_utils.broadcast_one_to_all(letters), np.uint8)))


def shared(host: Any) -> Any:
    """Returns on every process the first one's tree of NumPy arrays; elsewhere only shapes and dtypes matter."""
    return host if jax.process_count() == 1 else multihost_utils.broadcast_one_to_all(host)


def _check_own_name(coordinator: str) -> None:
    """Raises SettingError where other hosts could not reach this one: Gloo listens at the address of its name."""
    host, _, port = coordinator.rpartition(":")
    name = socket.gethostname()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, int(port)))  # which sends nothing
            own = probe.getsockname()[0]
        named = socket.gethostbyname(name)
    except OSError:
        return  # joining will tell
    reachable = own.startswith("127.") or not named.startswith("127.")
    remedy = f"other hosts cannot reach this one, whose name {name} stands for {named}; let it stand for {own} instead"
    require(reachable, "distributed.coordinator", coordinator, f"{remedy}, in /etc/hosts")


def _yield_to_others(before: set[int]) -> None:
    """Lets Gloo's thread run only while its core has nothing else to do.

    It asks its sockets over and over while a message waits that nobody has asked for yet: on a core of its own a
    process then waits for the end of a time slice, 4 ms, at every message (`findings/gloo_time_slice.sh`).
    """
    deadline = time.monotonic() + 1
    while hasattr(os, "SCHED_IDLE") and time.monotonic() < deadline:
        for thread in set(_threads()) - before:
            with contextlib.suppress(OSError):
                if "poll" in (_TASKS / str(thread) / "wchan").read_text():
                    os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
                    return
        time.sleep(0.01)


def _threads() -> list[int]:
    return [int(path.name) for path in _TASKS.iterdir()] if _TASKS.is_dir() else []


@contextlib.contextmanager
def _no_output() -> Iterator[None]:
    """Sends to nowhere what native code prints to the standard output while the block runs."""
    if sys.stdout:
        sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
