"""`scripts/watch.py` as a person runs it."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
from train_runs import ROOT
from websockets.sync.client import connect

RUN = ROOT / "tests" / "data" / "version_0_1" / "ant_sumo"


class Watched:
    """A running `watch`, with the cookie of its token."""

    def __init__(self, process):
        self.process, self.lines = process, []
        for line in process.stdout:
            self.lines.append(line.strip())
            if "http://" in line:
                break
        address = urlsplit(re.search(r"http://\S+", self.text)[0])
        self.host, self.port = address.netloc, address.port
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", f"/?{address.query}")
        self.headers = {"Cookie": connection.getresponse().headers["Set-Cookie"].partition(";")[0]}

    @property
    def text(self):
        return "\n".join(self.lines)

    def status(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/match.json", headers=self.headers)
        return json.loads(connection.getresponse().read())

    def until(self, condition):
        deadline = time.monotonic() + 60
        while not condition(found := self.status()):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def stream(self, path="/state"):
        """Looks on, as a page does."""
        address = f"ws://{self.host}{path}"
        return connect(address, additional_headers=self.headers, origin=f"http://{self.host}", max_size=None)


@pytest.fixture
def watch(environment, tmp_path):
    processes = []

    def start(*arguments):
        command = [sys.executable, str(ROOT / "scripts" / "watch.py"), *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_run_is_watched_and_followed_while_it_trains(watch, tmp_path):
    run = tmp_path / "runs" / "ant_sumo" / "a"
    shutil.copytree(RUN, run)
    seen = Watched(watch("run=latest", "speed=8"))
    assert not seen.status()["ready"] or seen.status()["number"] == 1  # nobody looks: the match waits
    with seen.stream():
        first = seen.until(lambda found: found["ready"] and found["number"] > 50)
        assert first["players"] == ["iteration 2"] * 2 and first["chosen"] == ["newest checkpoint"] * 2
        assert first["choices"][-3:] == ["passive", "random", "person"]
        shutil.copytree(run / "checkpoints" / "2", tmp_path / "saving")
        (tmp_path / "saving").rename(run / "checkpoints" / "3")
        seen.until(lambda found: found["players"] == ["iteration 3"] * 2)
    time.sleep(0.5)
    waiting = seen.status()["number"]
    time.sleep(0.5)
    assert seen.status()["number"] == waiting
    begun = time.monotonic()
    seen.process.send_signal(signal.SIGINT)
    rest, err = seen.process.communicate(timeout=20)
    assert time.monotonic() - begun < 5
    assert seen.process.returncode == 130 and err == ""
    assert "no browser looks on: the match waits" in seen.text + rest
