"""A headless Chromium for tests of pages, without a network. Tests are skipped where it is not installed."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.wait import WebDriverWait

# Software draws, as no machine of CI has a GPU, and nothing is fetched behind the test's back.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--force-prefers-reduced-motion",),  # a page that plays by itself waits to be told
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--enable-unsafe-swiftshader", "--use-gl=angle", "--use-angle=swiftshader", "--ignore-gpu-blocklist"),
)


@contextlib.contextmanager
def chromium(width: int, height: int, scale: float = 1) -> Iterator[Chrome]:
    """Yields a Chromium that is offline, with a window of `width` times `height` CSS pixels of `scale` screen pixels.

    Skips the test where Chromium or its driver is missing.
    """
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("needs Chromium and its driver (Debian: chromium chromium-driver)")
    options = ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = Chrome(options, ChromeService(driver))
        try:
            size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 640}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.set_network_conditions(offline=True, latency=0, throughput=0)
            yield browser
        finally:
            browser.quit()


def opened(browser: Chrome, page: Path, ready: str) -> None:
    """Opens the file `page` and waits until the JavaScript expression `ready` is true."""
    browser.get(page.as_uri())
    until(browser, ready)


def until(browser: Chrome, condition: str, seconds: float = 20) -> None:
    """Waits until the JavaScript expression `condition` is true, at most `seconds`."""
    WebDriverWait(browser, seconds, 0.05).until(lambda _: browser.execute_script(f"return {condition}"))


def errors(browser: Chrome) -> list[str]:
    """Returns what the page wrote to its console as warnings or errors since the last call."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]


def picture(browser: Chrome, folder: Path) -> np.ndarray:
    """Returns what the window shows `[height, width, 3]` uint8."""
    file = folder / "window.png"
    assert browser.save_screenshot(str(file))
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))
