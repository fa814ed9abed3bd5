"""Every test runs on `MJX_ARENA_TEST_DEVICES` virtual CPU devices, one if the variable is not set."""

import os
import signal

from mjx_arena import devices

devices.configure(int(os.environ.get("MJX_ARENA_TEST_DEVICES", "1")))

# Tests may have been started under `nohup`, which the processes that they start would inherit.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
