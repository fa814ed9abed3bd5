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

import numpy as np
import pytest
from devtools import tab
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
        deadline = time.monotonic() + 120
        while not condition(found := self.status()):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def click(self, page, name):
        """Clicks on a control of the panel, which lies on the page where the status says."""
        place = self.until(lambda found: name in found["places"])["places"][name]
        for down in (True, False):
            page.mouse(*place, down=down)
            self.until(lambda found, down=down: found["pressed"] == down)

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


@pytest.mark.slow  # a minute and more on two cores, where software draws the page
def test_a_page_shows_the_match_takes_keys_and_lets_others_look_on(watch):
    seen = Watched(watch("task=humanoid_duel", "players=[person,champion:humanoid_duel/tenth]"))
    address = re.search(r"http://\S+", seen.text)[0]
    with tab(640, 480) as page, tab(320, 240) as other:
        page.open(address[:-4] + "nope")
        until(lambda: "the address that the terminal shows" in page.value("document.body.innerText"))
        page.open(address)
        seen.until(lambda found: found["ready"] and found["number"] > 50)
        assert page.value("location.search") == ""  # the token is a cookie now
        until(lambda: (red_and_blue(page.picture()) > 200).all())
        page.key("W", down=True)
        seen.until(lambda found: found["held"] == found["acted"] == ["W"])
        page.key("W", down=False)
        seen.until(lambda found: found["held"] == [])
        seen.click(page, "red")
        seen.click(page, "red=champion:humanoid_duel/third")
        found = seen.until(lambda found: found["chosen"][0] == "champion:humanoid_duel/third")
        assert found["players"][1] == "champion:humanoid_duel/tenth" and found["note"] == ""
        other.open(address)
        until(lambda: (red_and_blue(other.picture()) > 20).all())


def red_and_blue(picture):
    """Returns how many pixels have the agents' colours."""
    red, blue = picture[..., 0].astype(int), picture[..., 2].astype(int)
    return np.array([((red > 2 * blue) & (red > 90)).sum(), ((blue > 2 * red) & (blue > 90)).sum()])


def until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
