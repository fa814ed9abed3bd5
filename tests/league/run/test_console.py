"""A console outlives what it prints to."""

import io
import os
import subprocess
import sys

import pytest
from train_runs import ROOT

from league.run.console import Outlet, progress_bar


@pytest.mark.parametrize("terminal", [False, True])
def test_a_process_prints_on_after_its_reader_is_gone_and_ends_with_its_own_status(terminal):
    """Both on a pipe and on a terminal, of which a write fails with EPIPE and EIO."""
    program = """
import sys
from rich.live import Live
from league.run.console import open_console
console = open_console()
with Live(console=console, auto_refresh=False) as live:
    console.print("ready")
    sys.stdin.readline()
    for line in range(1000):
        console.print(line)
        live.update(str(line), refresh=True)
print("not flushed before the end", end="")
sys.exit(7)
"""
    reader, writer = os.openpty() if terminal else os.pipe()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.PIPE, env=environment) as it:
        os.close(writer)
        text = b""
        while b"ready" not in text:
            text += os.read(reader, 1000)
        os.close(reader)
        _, complaints = it.communicate(b"\n", timeout=60)
    assert (it.returncode, complaints) == (7, b"")


def test_a_stream_without_a_descriptor_may_fail_too():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    outlet = Outlet(Full())
    assert outlet.write("lost") == 4 and outlet.isatty() is False
    outlet.flush()


def test_a_bar_is_shown_on_a_terminal_alone(capsys):
    with progress_bar("drawing") as tell:
        tell(1, 2)
    assert capsys.readouterr() == ("", "")
    program = """
from league.run.console import progress_bar
with progress_bar("drawing") as tell:
    tell(30, 40)
"""
    reader, writer = os.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", program], stdout=writer, env=environment, check=True, timeout=60)
    os.close(writer)
    text = os.read(reader, 10000).decode()
    os.close(reader)
    assert "drawing" in text and "75%" in text
