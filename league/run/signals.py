"""Stopping a run on request: the first signal asks it to finish its iteration; Ctrl-C after that ends it at once."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

_REQUESTS = ("SIGINT", "SIGTERM")
# A terminal that closes, and what clusters send before a job's time is up. Windows has none of them.
_WARNINGS = ("SIGHUP", "SIGUSR1", "SIGUSR2")
_ENDED_AT_ONCE = 130


class StopRequest:
    """Which signal has asked the run to stop, if any."""

    received: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.received is not None

    @property
    def exit_status(self) -> int:
        """0, also after Ctrl-C; after another signal 128 and its number, as shells have it: 143 after SIGTERM.

        By it a job script knows a run that has more to do, and has it start again with `resume`.
        """
        return 0 if self.received in (None, signal.SIGINT) else 128 + self.received


@contextlib.contextmanager
def stop_requests(announce: Callable[[str], None]) -> Iterator[StopRequest]:
    """Watches for SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 while the block runs; only the main thread may enter it.

    The first of them is noted in the `StopRequest` and announced. A SIGINT after it ends the process with status 130,
    even while the main thread is inside a compilation: the signals arrive through a socket at a thread of their own.
    The last three are left as they are where they are ignored, as SIGHUP is under `nohup`, or where code other than
    Python's handles them.
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
    """Of the signals that this platform has. A shell's background jobs ignore SIGINT: who sends it means it still."""
    warnings = [getattr(signal, name) for name in _WARNINGS if hasattr(signal, name)]
    heard = [number for number in warnings if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    return [getattr(signal, name) for name in _REQUESTS] + heard
