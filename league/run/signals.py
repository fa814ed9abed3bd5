"""Stops a run on request: the first signal makes it finish its iteration; Ctrl-C after that ends it at once."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

_REQUESTS = ("SIGINT", "SIGTERM")
# Sent by a terminal that closes, and by clusters before a job's time is up. Windows has none of them.
_WARNINGS = ("SIGHUP", "SIGUSR1", "SIGUSR2")
_ENDED_AT_ONCE = 130


class StopRequest:
    """The request to stop a run: true once a signal has been received."""

    received: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.received is not None

    @property
    def exit_status(self) -> int:
        """Returns 0, also after Ctrl-C; after another signal 128 plus its number, as shells do: 143 after SIGTERM.

        So a job script can tell that a run is not finished, and start it again with `resume`.
        """
        return 0 if self.received in (None, signal.SIGINT) else 128 + self.received


@contextlib.contextmanager
def stop_requests(announce: Callable[[str], None]) -> Iterator[StopRequest]:
    """Watches for SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 while the block runs; only the main thread may enter it.

    The first signal is kept in the `StopRequest` and announced. A SIGINT after it ends the process with status 130,
    even while the main thread is inside a compilation: a thread of its own receives the signals through a socket.
    SIGHUP, SIGUSR1 and SIGUSR2 are not watched where they are ignored, as SIGHUP is under `nohup`, or where their
    handler was not set by Python.
    """
    request = StopRequest()
    handled = _handled()
    receiver, sender = socket.socketpair()
    sender.setblocking(False)

    def watch() -> None:
        while numbers := receiver.recv(16):
            for number in numbers:
                if request and number == signal.SIGINT:
                    os._exit(_ENDED_AT_ONCE)
                if not request and number in handled:
                    request.received = signal.Signals(number)
                    announce("stopping after this iteration; Ctrl-C ends it at once")

    watcher = threading.Thread(target=watch, name="signals", daemon=True)
    watcher.start()
    previous_fd = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    previous = {number: signal.signal(number, lambda *_: None) for number in handled}
    try:
        yield request
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in previous.items():
            signal.signal(number, handler)
        sender.close()
        watcher.join()
        receiver.close()


def _handled() -> list[signal.Signals]:
    """Returns the signals to watch on this platform, with SIGINT even where it is ignored, as in background jobs."""
    warnings = [getattr(signal, name) for name in _WARNINGS if hasattr(signal, name)]
    heard = [number for number in warnings if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    return [getattr(signal, name) for name in _REQUESTS] + heard
