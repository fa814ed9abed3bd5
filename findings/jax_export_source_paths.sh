#!/usr/bin/env bash
# Behaviour: a program that `jax.export` serialises holds the absolute paths of the Python files that it was traced
#   from, though nothing that runs it reads them: who exports a policy from a home folder publishes its name. With
#   `jax_traceback_in_locations_limit` 0 they are left out, and the program computes the same; the option is meant for
#   the length of tracebacks in the compiler's dumps.
# Guess before running it: an exported program is made for other machines and holds nothing of this one.
# Versions: jax 0.10.2, jaxlib 0.10.2, flatbuffers 25.12.19. Date: 2026-11-30. Source: looking into an exported policy.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 flatbuffers==25.12.19
mkdir "$folder/a_private_folder"
cat > "$folder/a_private_folder/export.py" <<'PYTHON'
import sys

import jax
import jax.export
import jax.numpy as jnp

if sys.argv[1] != "default":
    jax.config.update("jax_traceback_in_locations_limit", int(sys.argv[1]))
exported = jax.export.export(jax.jit(lambda x: jnp.tanh(x) * 2))(jax.ShapeDtypeStruct((3,), jnp.float32))
data = bytes(exported.serialize())
again = jax.export.deserialize(bytearray(data))
print(sys.argv[1], len(data), "bytes, path inside:", b"a_private_folder" in data, again.call(jnp.arange(3.0)).tolist())
PYTHON
for limit in default 0; do
    JAX_PLATFORMS=cpu "$folder/venv/bin/python" "$folder/a_private_folder/export.py" $limit | tee -a "$folder/found"
done
grep -q "^default .* inside: True" "$folder/found" && grep -q "^0 .* inside: False" "$folder/found"
