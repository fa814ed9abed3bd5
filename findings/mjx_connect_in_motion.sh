#!/usr/bin/env bash
# Behaviour: MJX takes `connect` equalities and simulates them otherwise than MuJoCo in C. In C the reference acceleration
#   of the constraint holds the term of the changing Jacobian, -(dJ/dt) qvel; in MJX it does not. At rest both agree to
#   rounding; a closed linkage in fast motion is elsewhere after 200 steps, with the solver run to convergence in float64.
# Guess before running it: an equality that MJX accepts acts as in C, as those of joints and tendons do.
# Versions: mujoco 3.17.0, mujoco-mjx 3.17.0, jax 0.10.2. Date: 2026-11-29. Source: running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check mujoco==3.17.0 mujoco-mjx==3.17.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
JAX_PLATFORMS=cpu JAX_ENABLE_X64=1 venv/bin/python - <<'PYTHON'
import contextlib, io, sys
import jax, mujoco, numpy as np
with contextlib.redirect_stdout(io.StringIO()):
    from mujoco import mjx
XML = """
<mujoco>
  <option timestep="0.002" gravity="0 0 0" iterations="100" ls_iterations="100" tolerance="0"/>
  <worldbody>
    <body name="crank" pos="0 0 0"><joint name="crank" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 0.3" size=".02"/>
      <body name="rod" pos="0 0 0.3"><joint axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0.6 0 0.2" size=".02"/></body>
    </body>
    <body name="rocker" pos="0.6 0 0"><joint axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 0.5" size=".02"/></body>
  </worldbody>
  <equality>{equality}</equality>
</mujoco>
"""
CONNECT, JOINT = '<connect body1="rod" body2="rocker" anchor="0.6 0 0.2"/>', '<joint joint1="crank" polycoef="0.1 0 0 0 0"/>'
def apart(equality, speed):
    model = mujoco.MjModel.from_xml_string(XML.format(equality=equality))
    model.geom_contype[:] = 0
    data = mujoco.MjData(model)
    data.qvel[0] = speed
    mujoco.mj_forward(model, data)
    batch = mjx.put_data(model, data)
    device = mjx.put_model(model)
    step = jax.jit(lambda d: jax.lax.fori_loop(0, 200, lambda _, x: mjx.step(device, x), d))
    after, start = np.array(jax.block_until_ready(step(batch).qpos)), data.qpos.copy()  # C steps in the memory of data
    mujoco.mj_step(model, data, 200)
    return float(np.abs(after - data.qpos).max()), float(np.abs(data.qpos - start).max())
found = {"connect, at rest": apart(CONNECT, 0.0), "connect, crank at 10 rad/s": apart(CONNECT, 10.0), "joint equality, 10 rad/s": apart(JOINT, 10.0)}
for name, (value, moved) in found.items():
    print(f"{name}: {value:.1e} rad apart after 200 steps, in which C has moved by {moved:.2f} rad")
(rest, _), (moving, _), (joint, joint_moved) = found.values()
sys.exit(0 if rest < 1e-6 and joint < 1e-6 < 0.1 < joint_moved and moving > 1e-2 else 1)
PYTHON
