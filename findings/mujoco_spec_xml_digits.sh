#!/usr/bin/env bash
# Behaviour: a model that is written with MjSpec.to_xml() and read again is not the model that was written: the XML keeps
#   six digits of lengths and masses. The inertia of a body that is computed from its geoms, and with it every trajectory,
#   differs in the sixth digit, and a falling, touching body is elsewhere after 300 steps. mj_saveModel keeps the bits.
# Guess before running it: numbers are written with as many digits as they need, as Python's repr does.
# Versions: mujoco 4.0.0. Date: 2026-11-29. Source: running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check mujoco==4.0.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys
import mujoco, numpy as np
spec = mujoco.MjSpec()
spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[5, 5, 0.1])
body = spec.worldbody.add_body(pos=[0, 0, 1 / 3 + 0.5])
body.add_freejoint()
body.add_geom(type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, 0, 1 / 3, 1 / 7, 1 / 11], size=[1 / 13, 0, 0], density=1000 / 3)
body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[1 / 17, 1 / 19, 1 / 23], pos=[1 / 29, 1 / 31, 1 / 37])
model = spec.compile()
again = mujoco.MjSpec.from_string(spec.to_xml()).compile()
mujoco.mj_saveModel(model, "model.mjb")
binary = mujoco.MjModel.from_binary_path("model.mjb")
def played(model):
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, 300)
    return data.qpos.copy()
inertia = np.abs(again.body_inertia / np.maximum(model.body_inertia, 1e-300) - 1)[1:].max()
apart, kept = np.abs(played(again) - played(model)).max(), np.abs(played(binary) - played(model)).max()
print(f"inertia differs by {inertia:.1e}; after 300 steps the XML's model is {apart:.1e} off, the binary's {kept:.1e}")
sys.exit(0 if inertia > 1e-8 and apart > 1e-9 and kept == 0 else 1)
PYTHON
