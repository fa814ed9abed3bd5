"""What a run prints, for people. It may have nowhere to go, and the run goes on: its numbers are in its folder."""

import contextlib
import os
import sys
from typing import IO, Any, TextIO, cast

from rich.console import Console


class Outlet:
    """A text stream that loses what it cannot write: its terminal is closed, or what it was piped into has ended."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._give_up()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self) -> None:
        """Leads the stream nowhere. Python flushes what it still holds at the end, and exits with 120 if it cannot."""
        with contextlib.suppress(OSError):  # a stream without a descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def open_console() -> Console:
    """A console on the standard output, where a process has one, that never raises for what it cannot write.

    Rich by itself ends the process, by SystemExit, where a pipe is broken, and raises OSError where a terminal is gone.
    """
    return Console(file=cast(IO[str], Outlet(sys.stdout)) if sys.stdout else None)
