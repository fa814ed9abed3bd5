"""Stopping a run on request: Ctrl-C and SIGTERM ask it to finish its iteration; a second Ctrl-C ends it at once."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

_HANDLED = (signal.SIGINT, signal.SIGTERM)
_ENDED_AT_ONCE = 130


class StopRequest:
    """Which signal has asked the run to stop, if any."""

    received: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.received is not None

    @property
    def exit_status(self) -> int:
        """143 after SIGTERM, as its sender expects; else 0."""
        return 128 + signal.SIGTERM if self.received == signal.SIGTERM else 0


@contextlib.contextmanager
def stop_requests(announce: Callable[[str], None]) -> Iterator[StopRequest]:
    """Watches for SIGINT and SIGTERM while the block runs; only the main thread may enter it.

    The first of them is noted in the `StopRequest` and announced. A SIGINT after it ends the process with status 130,
    even while the main thread is inside a compilation: the signals arrive through a socket at a thread of their own.
    """
    request = StopRequest()
    receiver, sender = socket.socketpair()
    sender.setblocking(False)

    def watch() -> None:
        while numbers := receiver.recv(16):
            for number in numbers:
                if request and number == signal.SIGINT:
                    os._exit(_ENDED_AT_ONCE)
                if not request and number in _HANDLED:
                    request.received = signal.Signals(number)
                    announce("stopping after this iteration; Ctrl-C ends it at once")

    watcher = threading.Thread(target=watch, name="signals", daemon=True)
    watcher.start()
    previous_fd = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    previous = {number: signal.signal(number, lambda *_: None) for number in _HANDLED}
    try:
        yield request
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in previous.items():
            signal.signal(number, handler)
        sender.close()
        watcher.join()
        receiver.close()
