#!/usr/bin/env bash
# Behaviour: JAX's collectives between processes on CPUs go through Gloo, whose thread asks `epoll` over and over while a
#   message lies in a socket that its process has not asked for yet. Where each process has one core to itself, the
#   thread that would ask waits for the end of that time slice: 4 ms for a sum of 1000 floats, which takes 0.1 to 0.2 ms
#   once the thread has Linux's policy SCHED_IDLE. A sum of one float does not suffer, so a test with a scalar shows
#   nothing. Niceness 19 in place of SCHED_IDLE does little.
# Guess before running it: giving each process a core of its own makes their messages faster, if anything.
# Versions: jax 0.10.2, jaxlib 0.10.2, Linux 6.18. Date: 2026-11-30. Source: `perf` on a slow run, then running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/sums.py" <<'PYTHON'
import os, pathlib, statistics, sys, time
index, port, policy = int(sys.argv[1]), sys.argv[2], sys.argv[3]
os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[index]})
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 1)
jax.distributed.initialize(f"127.0.0.1:{port}", 2, index)
threads = lambda: {int(path.name) for path in pathlib.Path("/proc/self/task").iterdir()}
before = threads()
mesh = jax.make_mesh((2,), ("a",))
time.sleep(1)
for thread in threads() - before if policy == "idle" else ():
    if "poll" in pathlib.Path(f"/proc/self/task/{thread}/wchan").read_text():
        os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
everywhere = jax.NamedSharding(mesh, jax.P())
for size in (1, 1000):
    body = lambda x: jax.lax.scan(lambda c, _: (jax.lax.pmean(c, "a"), None), x, None, length=100)[0]
    sums = jax.jit(jax.shard_map(body, mesh=mesh, in_specs=jax.P(), out_specs=jax.P(), check_vma=False))
    x = jax.make_array_from_callback((size,), everywhere, lambda index: np.ones(size, np.float32)[index])
    taken = []
    for _ in range(8):
        started = time.perf_counter()
        sums(x).block_until_ready()
        taken.append((time.perf_counter() - started) * 10)
    if index == 0:
        print(policy, size, statistics.median(taken[1:]))
PYTHON
cd "$folder"
port=$((20000 + RANDOM % 10000))
for policy in normal idle; do
    port=$((port + 1))
    JAX_PLATFORMS=cpu venv/bin/python sums.py 1 $port $policy > /dev/null 2>&1 &
    JAX_PLATFORMS=cpu venv/bin/python sums.py 0 $port $policy 2> /dev/null | grep -v Gloo | tee -a figures
    wait
done
awk '{ ms[$1 " " $2] = $3 } END { exit !(ms["normal 1000"] > 5 * ms["normal 1"] && ms["normal 1000"] > 3 * ms["idle 1000"]) }' figures
