#!/usr/bin/env bash
# Behaviour: over several processes `jax.device_put` of host values to a sharding that spans them compares the values of
#   all processes first, and NaN is not equal to itself: the same array with one NaN in it is refused on every process
#   as "not the same on each process". `jax.make_array_from_callback` takes it.
# Guess before running it: equal bits are equal values, so NaN as a mark for "nothing yet" can be put like any number.
# Versions: jax 0.10.2, jaxlib 0.10.2. Date: 2026-11-30. Source: a refused array of NaN, then running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/put.py" <<'PYTHON'
import sys
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 1)
jax.distributed.initialize(f"127.0.0.1:{sys.argv[2]}", 2, int(sys.argv[1]))
everywhere = jax.NamedSharding(jax.make_mesh((2,), ("a",)), jax.P())
for name, value in (("number", 1.0), ("NaN", np.nan)):
    array = np.array([value], np.float32)
    try:
        jax.device_put(array, everywhere)
        outcome = "put"
    except AssertionError as error:
        outcome = "refused" + " as not the same on each process" * ("not the same on each process" in str(error))
    print(f"process {sys.argv[1]}: device_put of a {name}: {outcome}", flush=True)
jax.make_array_from_callback((1,), everywhere, lambda index: array[index])
print(f"process {sys.argv[1]}: make_array_from_callback of a NaN: made", flush=True)
PYTHON
cd "$folder"
port=$((20000 + RANDOM % 10000))
JAX_PLATFORMS=cpu venv/bin/python put.py 0 $port 2> /dev/null | grep -a ^process > first &
JAX_PLATFORMS=cpu venv/bin/python put.py 1 $port 2> /dev/null | grep -a ^process > second
wait
cat first second
for file in first second; do
    grep -q "device_put of a number: put" $file && grep -q "of a NaN: refused as not the same on each process" $file
    grep -q "callback of a NaN: made" $file
done
