"""Every test runs on `MJX_ARENA_TEST_DEVICES` virtual CPU devices, one if the variable is not set."""

import os
import signal

from train_runs import QUICK

from mjx_arena import devices

for _name, _value in QUICK.items():
    os.environ.setdefault(_name, _value)
devices.configure(int(os.environ.get("MJX_ARENA_TEST_DEVICES", "1")))

# Tests may have been started under `nohup`, which the processes that they start would inherit.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
