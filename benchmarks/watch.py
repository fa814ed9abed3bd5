"""Measures the live viewer: how soon a match is seen, how fast it plays beside a browser, how soon a key acts.

    python benchmarks/watch.py start humanoid_duel      # s until both agents are seen, and have moved
    python benchmarks/watch.py rate humanoid_duel 4     # control steps/s that it holds at 4 times real time
    python benchmarks/watch.py keys qwop Q 240,180      # ms from a key's press to the game, in a window of that size
    python benchmarks/watch.py beside humanoid_duel     # what training loses beside a viewer that nobody looks at

Needs Chromium with its driver and selenium; without a GPU the browser draws on the same cores.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver

ROOT = Path(__file__).resolve().parents[1]
_FLAGS = ("--headless", "--no-sandbox", "--disable-background-networking")
_DRAWN = ("--enable-unsafe-swiftshader", "--use-gl=angle", "--use-angle=swiftshader", "--ignore-gpu-blocklist")


class Viewer:
    """A running `watch`, and a browser on its page."""

    def __init__(self, *arguments: str, size: str = "800,600", **environment: str):
        self.begun = time.monotonic()
        command = [sys.executable, str(ROOT / "scripts" / "watch.py"), *arguments]
        own = os.environ | environment
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=own)
        assert self.process.stdout is not None
        self.address = next(found[0] for line in self.process.stdout if (found := re.search(r"http://\S+", line)))
        options = webdriver.ChromeOptions()
        for flag in (*_FLAGS, *_DRAWN, f"--window-size={size}"):
            options.add_argument(flag)
        options.binary_location = "/usr/bin/chromium"
        self.browser = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
        self.browser.set_script_timeout(120)
        self.browser.get(self.address)

    def status(self) -> dict[str, Any]:
        """Returns what `/match.json` says."""
        return self.browser.execute_async_script("fetch('/match.json').then(r => r.json()).then(arguments[0])")

    def until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 120) -> dict[str, Any]:
        """Waits until the status fulfils `condition`; returns it. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while not condition(found := self.status()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still {found}")
            time.sleep(0.02)
        return found

    def close(self) -> None:
        """Ends both."""
        self.browser.quit()
        self.process.kill()


def start(task: str) -> dict[str, float]:
    """Returns the seconds until the browser has the address, and until a second of the match was shown.

    Nothing is in the cache of compiled programs, as after an installation.
    """
    with tempfile.TemporaryDirectory() as cache:
        viewer = Viewer(f"task={task}", XDG_CACHE_HOME=cache)
        opened = time.monotonic() - viewer.begun
        viewer.until(lambda found: found["ready"] and found["time"] >= 1.0)
        seen = time.monotonic() - viewer.begun
        viewer.close()
    return {"address_s": opened, "seen_s": seen}


def rate(task: str, speed: str) -> dict[str, float]:
    """Returns the control steps a second at `speed` times real time, and those that were left out.

    Looks for 20 s, and passes over the moments between two matches.
    """
    viewer = Viewer(f"task={task}", f"speed={speed}")
    first = viewer.until(lambda found: found["ready"] and found["number"] > 100)
    rates, begun = [], time.monotonic()
    while time.monotonic() < begun + 20:
        last = viewer.status()
        rates += [] if last["ended"] or last["time"] < 1 else [last["rate"]]
        time.sleep(0.2)
    viewer.close()
    wanted = float(speed) / first["control_dt"]
    return {"steps_per_s": statistics.median(rates), "of": wanted, "late": last["late"] - first["late"]}


def keys(task: str, key: str, size: str = "800,600", presses: int = 30) -> dict[str, float]:
    """Returns the median and the longest time, ms, from a key's press in the browser to the control step it acts in.

    The page reads keys between two pictures, so without a GPU most of it is the drawing of a window of that `size`.
    """
    viewer = Viewer(f"task={task}", "players=[person]", size=size)
    viewer.until(lambda found: found["ready"] and found["number"] > 10)
    # The status says when the key first acted, by the clock of this machine.
    ask = """
    const done = arguments[1], begun = Date.now(), code = 'Key' + arguments[0];
    const key = {key: arguments[0].toLowerCase(), code: code, keyCode: arguments[0].charCodeAt(0), bubbles: true};
    window.dispatchEvent(new KeyboardEvent('keydown', key));
    document.querySelector('canvas').dispatchEvent(new KeyboardEvent('keydown', key));
    const poll = async () => {
      const found = await (await fetch('/match.json')).json();
      if (!found.acted.includes(arguments[0])) return setTimeout(poll, 20);
      const passed = 1000 * found.acted_at - begun;
      window.dispatchEvent(new KeyboardEvent('keyup', key));
      document.querySelector('canvas').dispatchEvent(new KeyboardEvent('keyup', key));
      done(passed);
    };
    poll();
    """
    found = []
    for _ in range(presses):
        found.append(viewer.browser.execute_async_script(ask, key))
        viewer.until(lambda status: not status["acted"])
    viewer.close()
    return {"median_ms": statistics.median(found), "longest_ms": max(found)}


def beside(task: str, rounds: int = 2) -> dict[str, float]:
    """Returns the share of its speed that training keeps beside a viewer that no browser looks at."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [f"task={task}", "physics=native", "iterations=25"]
        _train(arguments, f"{folder}/watched")
        alone, watched = [], []
        for each in range(rounds):
            alone += _train(arguments, f"{folder}/alone{each}")
            command = [sys.executable, str(ROOT / "scripts" / "watch.py"), f"run={folder}/watched"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as viewer:
                time.sleep(20)
                watched += _train(arguments, f"{folder}/beside{each}")
                viewer.kill()
    return {"alone_s": statistics.median(alone), "beside_s": statistics.median(watched)}


def _train(arguments: list[str], folder: str) -> list[float]:
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments, f"run_dir={folder}"]
    subprocess.run(command, check=True, capture_output=True)
    rows = [json.loads(line) for line in Path(folder, "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row["time/iteration_seconds"] for row in rows[5:]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("start", "rate", "keys", "beside"))
    parser.add_argument("values", nargs="+", help="as above")
    own = parser.parse_args()
    print(json.dumps(globals()[own.what](*own.values)))
