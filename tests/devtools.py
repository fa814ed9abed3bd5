"""A headless Chromium by its DevTools protocol, for pages that keep it too busy for a driver with own timeouts."""

import base64
import contextlib
import io
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser import FLAGS
from PIL import Image
from websockets.sync.client import ClientConnection, connect

_PATIENCE = 120  # s that an answer may take


class Tab:
    """One open page; each method waits for Chromium's answer."""

    def __init__(self, connection: ClientConnection):
        self._connection, self._count = connection, 0

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command of the protocol; returns its result."""
        self._count += 1
        self._connection.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=_PATIENCE))
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address: str) -> None:
        """Opens a page, and waits until it has been loaded."""
        self.ask("Page.navigate", url=address)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(AssertionError):  # for a moment no page is attached
                if self.value("document.readyState") == "complete":
                    return
            time.sleep(0.1)

    def value(self, expression: str) -> Any:
        """Returns the value of a JavaScript expression."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self) -> np.ndarray:
        """Returns what the page shows `[height, width, 3]` uint8."""
        data = base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))

    def key(self, name: str, down: bool) -> None:
        """Presses or releases the key of a letter."""
        code = {"key": name.lower(), "code": f"Key{name}", "windowsVirtualKeyCode": ord(name)}
        self.ask("Input.dispatchKeyEvent", type="keyDown" if down else "keyUp", **code)

    def mouse(self, x: float, y: float, down: bool) -> None:
        """Moves the mouse, and presses or releases its left button there."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, buttons=int(not down))
        kind = "mousePressed" if down else "mouseReleased"
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=int(down), clickCount=1)


@contextlib.contextmanager
def tab(width: int, height: int) -> Iterator[Tab]:
    """Yields an empty page of `width` times `height` pixels. Skips the test where Chromium is missing."""
    binary = shutil.which("chromium")
    if binary is None:
        pytest.skip("needs Chromium (Debian: chromium)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        ports = ("--remote-debugging-port=0", "--remote-allow-origins=*", f"--user-data-dir={profile}")
        command = [binary, *FLAGS, *ports, f"--window-size={width},{height}", "about:blank"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if "DevTools listening on" in line)
            port = line.split("127.0.0.1:")[1].split("/")[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=_PATIENCE) as listed:
                page = next(each for each in json.load(listed) if each["type"] == "page")
            with connect(page["webSocketDebuggerUrl"], max_size=None, open_timeout=_PATIENCE) as connection:
                yield Tab(connection)
        finally:
            process.kill()
            process.communicate()
