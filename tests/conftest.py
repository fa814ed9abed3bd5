"""Every test runs on `MJX_ARENA_TEST_DEVICES` virtual CPU devices, one if the variable is not set."""

import os

from mjx_arena import devices

devices.configure(int(os.environ.get("MJX_ARENA_TEST_DEVICES", "1")))
