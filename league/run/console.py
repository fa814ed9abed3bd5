"""The console that a run prints to, and bars on it. If it is closed the run goes on: its numbers are in its folder."""

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Outlet:
    """A text stream that drops what it cannot write, because its terminal is closed or its pipe is broken."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes `text`, or drops it; returns its length."""
        try:
            return self._stream.write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Flushes the stream, or gives it up."""
        try:
            self._stream.flush()
        except OSError:
            self._give_up()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self) -> None:
        """Sends the stream to the null device: Python flushes it at exit, and would exit with 120 if it could not."""
        with contextlib.suppress(OSError):  # a stream without a descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def open_console() -> Console:
    """Opens a console on the standard output, if the process has one, that never raises for what it cannot write.

    Rich alone raises SystemExit where a pipe is broken, and OSError where a terminal is closed.
    """
    return Console(file=cast(IO[str], Outlet(sys.stdout)) if sys.stdout else None)


def to_paste(command: str, *arguments: str) -> str:
    """Returns the line that runs another command of the project, in the way in which this one was run."""
    program = Path(sys.argv[0].partition(" ")[0])
    own = program.parent.name == "scripts" and program.suffix == ".py"
    words = ["python", str(program.with_name(f"{command}.py"))] if own else ["mjx-arena", command]
    return shlex.join([*words, *arguments])


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar with the time that is left, on a terminal alone, and yields what is told `(done, total)`."""
    console = open_console()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
