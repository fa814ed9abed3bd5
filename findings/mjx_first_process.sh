#!/usr/bin/env bash
# Behaviour: in a program of several processes `mjx.put_model` and `mjx.make_data` put their arrays on `jax.devices()[0]`,
#   which is the first process's device in every process. In the second one the model cannot be read, and a jitted step
#   that closes over it is refused; with `device=jax.local_devices()[0]` both work.
# Guess before running it: without a device, arrays go to this process's default device, as everywhere in JAX.
# Versions: mujoco 4.0.0, mujoco-mjx 3.17.0, jax 0.10.2. Date: 2026-11-30. Source: a refused program, then running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 mujoco==4.0.0 mujoco-mjx==3.17.0
cat > "$folder/model.py" <<'PYTHON'
import sys
import jax, jax.experimental.multihost_utils, mujoco
from mujoco import mjx
jax.distributed.initialize(f"127.0.0.1:{sys.argv[2]}", 2, int(sys.argv[1]))
jax.config.update("jax_num_cpu_devices", 1)
model = mujoco.MjModel.from_xml_string('<mujoco><worldbody><body><freejoint/><geom size=".1"/></body></worldbody></mujoco>')
for name, device in (("none", None), ("local", jax.local_devices()[0])):
    there = mjx.put_model(model, device, impl="jax")
    data = mjx.make_data(model, device, impl="jax")
    try:
        height = float(jax.jit(lambda qpos: mjx.step(there, data.replace(qpos=qpos)).qpos)(jax.numpy.ones(7))[2])
        outcome = f"steps to {height:.4f} m"
    except RuntimeError as error:
        outcome = "refused" + ", arrays of another process" * ("non-addressable" in str(error))
    print(f"process {sys.argv[1]}, device {name}: addressable {there.qpos0.is_fully_addressable}; {outcome}", flush=True)
jax.experimental.multihost_utils.sync_global_devices("end")
PYTHON
cd "$folder"
port=$((20000 + RANDOM % 10000))
JAX_PLATFORMS=cpu venv/bin/python model.py 0 $port 2> /dev/null | grep -a ^process > first &
JAX_PLATFORMS=cpu venv/bin/python model.py 1 $port 2> /dev/null | grep -a ^process > second
wait
cat first second
grep -q "device none: addressable False; refused, arrays of another process" second && grep -q "device local: addressable True; steps to" second
