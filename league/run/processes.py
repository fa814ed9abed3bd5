"""Further processes of a run on this machine: started on cores of their own, and ended with one message if one dies.

The first process waits for each other one, and each of those holds a pipe from the first, whose end of file says that
the first has died. So none outlives another, however it ended.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from league.run.team import Place
from mjx_arena.validation import require

_QUIETLY = b"q"  # over the pipe: the first process ends, and has said why
_FAILED = 1
_PATIENCE = 10.0  # s until a process that was told to end is killed


class Others:
    """The further processes of a run, as the first one sees them; without any where there is only one."""

    def __init__(self, count: int, module: str, more: dict[str, Any]):
        """Starts `python -m module` with a JSON text for the processes 1 to `count` - 1; takes cores for this one.

        The text holds `place`, `cores` (null where they cannot be chosen), `first` (this process's number in the
        system) and `more`. Raises SettingError for more processes than cores.
        """
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ending = threading.Lock()  # held from the moment on that this process ends the run
        self.last_words: Callable[[], str] = lambda: ""
        self.place = Place()
        if count == 1:
            return
        shares = _shares(count)
        self.place = Place(0, count, f"127.0.0.1:{_free_port()}", gpu=0)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        for index in range(1, count):
            place = self.place._replace(index=index, gpu=index)
            text = json.dumps({"place": place, "cores": shares[index], "first": os.getpid(), **more})
            command = [sys.executable, "-m", module, text]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
            self._processes.append(process)
            threading.Thread(target=self._watch, args=(index, process), daemon=True).start()
        take_cores(shares[0])

    def _watch(self, index: int, process: subprocess.Popen[bytes]) -> None:
        status = process.wait()
        if status == 0 or not self._ending.acquire(blocking=False):
            return
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self._release()
        end(f"process {index} of {self.place.count} (pid {process.pid}) {how}{self.last_words()}")

    def _release(self) -> None:
        """Tells the others to end without a message."""
        for process in self._processes:
            with contextlib.suppress(OSError):
                assert process.stdin is not None
                process.stdin.write(_QUIETLY)
                process.stdin.close()

    def stop(self) -> None:
        """Ends the others, for a reason that this process has told or will tell."""
        if self._ending.acquire(blocking=False):
            self._release()
        self.wait(_PATIENCE)

    def wait(self, seconds: float | None = None) -> None:
        """Waits for the others to end, and kills them after `seconds`."""
        for process in self._processes:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def others(count: int, module: str, more: dict[str, Any]) -> Iterator[Others]:
    """Runs a block beside `count` - 1 further processes, see `Others`; ends them where the block fails."""
    started = Others(count, module, more)
    try:
        yield started
    except BaseException:
        started.stop()
        raise
    started.wait()


def end_with_first(pipe: int, message: Callable[[], str] | None) -> None:
    """Ends this process as soon as the first one, which holds the other end of `pipe`, has died or asks for it.

    `pipe` is a descriptor. If the first has died, `message()` is shown; None: another process tells it.
    """

    def watch() -> None:
        asked = os.read(pipe, 1) == _QUIETLY  # not a Python file, whose lock would be held at the end
        if asked or message is None:
            os._exit(_FAILED)
        end(message())

    threading.Thread(target=watch, daemon=True).start()


def end(message: str) -> None:
    """Shows an error, and ends this process at once, whatever its threads wait for."""
    if sys.stdout and sys.stdout.isatty():
        print("\x1b[?25h", flush=True)  # a progress line had hidden the cursor
    print(f"error: {message}", file=sys.stderr, flush=True)
    os._exit(_FAILED)


def hide_native_errors() -> None:
    """Keeps what native code prints as errors from people; Python's own errors stay.

    When the first process dies, JAX's client tells so in a page of lines from C++, of which none names it.
    """
    kept = os.dup(2)
    sys.stderr = os.fdopen(kept, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def take_cores(cores: list[int] | None) -> None:
    """Moves this process to the given cores, where the system knows such a choice."""
    if cores is not None:
        os.sched_setaffinity(0, cores)


def _shares(count: int) -> list[list[int] | None]:
    """Returns equal parts of this process's cores for `count` processes. Raises SettingError for too few cores."""
    if not hasattr(os, "sched_setaffinity"):
        return [None] * count
    cores = sorted(os.sched_getaffinity(0))
    require(count <= len(cores), "processes", count, f"there are {len(cores)} cores; take at most one process for each")
    size = len(cores) // count
    return [cores[index * size : (index + 1) * size] for index in range(count)]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
