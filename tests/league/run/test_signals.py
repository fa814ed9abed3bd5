"""Which signals ask a run to stop, and with which status it then ends."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from league.run.signals import stop_requests


@pytest.fixture
def disposition():
    """Sets how a signal is handled, until the end of the test."""
    before = []

    def handle(number, handler):
        before.append((number, signal.signal(number, handler)))

    yield handle
    for number, handler in reversed(before):
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, 0),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGUSR1, 128 + signal.SIGUSR1),
        (signal.SIGUSR2, 128 + signal.SIGUSR2),
    ],
)
def test_the_first_signal_is_noted_announced_and_sets_the_status(number, status):
    announced, heard = [], threading.Event()
    with stop_requests(lambda text: (announced.append(text), heard.set())) as stop:
        os.kill(os.getpid(), number)
        assert heard.wait(5) and stop and stop.received == number
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.exit_status == status and stop.received == number
    assert announced == ["stopping after this iteration; Ctrl-C ends it at once"]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_that_is_ignored_stays_so(disposition, number):
    disposition(number, signal.SIG_IGN)
    heard = threading.Event()
    with stop_requests(lambda _: heard.set()) as stop:
        assert signal.getsignal(number) == signal.SIG_IGN
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard.wait(5) and stop.received == signal.SIGTERM
    assert signal.getsignal(number) == signal.SIG_IGN


def test_a_platform_without_some_signals_has_the_others(monkeypatch):
    for name in ("SIGHUP", "SIGUSR1", "SIGUSR2"):
        monkeypatch.delattr(signal, name)
    heard = threading.Event()
    with stop_requests(lambda _: heard.set()) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard.wait(5) and stop.exit_status == 143


def test_a_second_interrupt_ends_at_once_even_inside_a_long_call():
    program = textwrap.dedent("""
        import os, signal, time
        from league.run.signals import stop_requests

        with stop_requests(lambda text: os.kill(os.getpid(), signal.SIGINT)):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
    """)
    assert subprocess.run([sys.executable, "-c", program], timeout=30, env=os.environ).returncode == 130


def test_without_a_signal_the_request_is_false():
    with stop_requests(pytest.fail) as stop:
        assert not stop and stop.exit_status == 0
