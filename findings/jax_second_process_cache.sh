#!/usr/bin/env bash
# Behaviour: with JAX's persistent compilation cache on, a program over two CPU processes is compiled once by the first
#   process, which finds it in the cache at every later start, and anew by the second at every start. Only process 0
#   writes entries, and the key of an entry depends on the process: the topology that goes into it has other local
#   devices in each. So the second never finds anything, and all wait for its compilation.
# Guess before running it: on one machine, with one cache, the second start compiles nothing in either process.
# Versions: jax 0.10.2, jaxlib 0.10.2. Date: 2026-11-30. Source: cache events of a slow start, then running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/program.py" <<'PYTHON'
import sys
index, port, start = int(sys.argv[1]), sys.argv[2], sys.argv[3]
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 1)
jax.config.update("jax_compilation_cache_dir", "cache")
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.distributed.initialize(f"127.0.0.1:{port}", 2, index)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: name.endswith("/cache_hits") and hits.append(name))
mesh = jax.make_mesh((2,), ("a",))
total = jax.shard_map(lambda x: jax.lax.psum(x, "a"), mesh=mesh, in_specs=jax.P("a"), out_specs=jax.P())
split = jax.NamedSharding(mesh, jax.P("a"))
x = jax.make_array_from_callback((2,), split, lambda index: np.arange(2.0, dtype=np.float32)[index])
jax.block_until_ready(jax.jit(total)(x))
print(f"start {start}, process {index}: {len(hits)} programs from the cache", flush=True)
PYTHON
cd "$folder"
port=$((20000 + RANDOM % 10000))
for start in first second; do
    port=$((port + 1))
    for index in 0 1; do
        JAX_PLATFORMS=cpu venv/bin/python program.py $index $port $start 2> /dev/null | grep -a "programs" > "$start$index" &
    done
    wait
    cat "$start"?
done
grep -q ": 1 programs" second0 && grep -q ": 0 programs" second1
