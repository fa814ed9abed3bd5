#!/usr/bin/env bash
# Behaviour: the Python package gives MuJoCo a clock (`mjcb_time`), which the engine reads before and after each part of
#   every step, for `MjData.timer`, in `mujoco.batch` too. `get_mjcb_time()` says None, and `set_mjcb_time(None)` does not
#   take the clock away. Writing a null pointer to the symbol does: three falling balls take 1.6 times as long with the
#   clock as without it, bit for bit the same.
# Guess before running it: without a call to `set_mjcb_time` no clock is read, as in C, and None switches it off.
# Versions: mujoco 3.17.0 and 4.0.0. Date: 2026-11-29. Source: a profile, then running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 3.17.0 4.0.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install -q --disable-pip-version-check mujoco==$version numpy==2.4.6
    (cd "$folder" && "$version/bin/python" - <<'PYTHON'
import ctypes, pathlib, statistics, sys, time
import mujoco, numpy as np
from mujoco.batch import Batch

BALLS = "".join(f'<body pos="0 0 {z}"><freejoint/><geom size=".1"/></body>' for z in (1, 3, 5))
model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{BALLS}</worldbody></mujoco>")
library = next(pathlib.Path(mujoco.__file__).parent.glob("libmujoco.so*"))
clock = ctypes.c_void_p.in_dll(ctypes.CDLL(str(library)), "mjcb_time")
given = clock.value

def timed():
    batch = Batch(model, 64, 1)
    started = time.perf_counter()
    batch.step(nstep=200)
    return time.perf_counter() - started, batch.state.copy()

def measured_time():
    data = mujoco.MjData(model)
    for _ in range(1000):
        mujoco.mj_step(model, data)
    return data.timer[mujoco.mjtTimer.mjTIMER_STEP].duration

print(f"mujoco {mujoco.__version__}: get_mjcb_time() is {mujoco.get_mjcb_time()}, the symbol holds an address: {given is not None}")
mujoco.set_mjcb_time(None)
after_none = clock.value is not None and measured_time() > 0
print(f"after set_mjcb_time(None) steps are still timed: {after_none}")
seconds, states = {True: [], False: []}, {}
for _ in range(9):
    for with_clock in (True, False):
        clock.value = given if with_clock else None
        taken, states[with_clock] = timed()
        seconds[with_clock].append(taken)
ratio = statistics.median(seconds[True]) / statistics.median(seconds[False])
same = np.array_equal(states[True], states[False])
print(f"time with the clock / without it: {ratio:.2f}; same bits: {same}")
sys.exit(0 if given is not None and mujoco.get_mjcb_time() is None and after_none and same and ratio > 1.05 else 1)
PYTHON
    )
done
