#!/usr/bin/env bash
# Behaviour: on a CPU, XLA computes `x.T @ g`, the gradient for the weights of a layer, by another matrix product than
#   `x @ w`: on one thread it takes 1.2 to 1.6 times as long as the forward product for the same arithmetic, and for a
#   narrow result (128 x 4) several times as long as if the narrow factor is transposed first, behind an optimization barrier.
# Guess before running it: a transposed factor is a matter of packing, so all three take about the same time.
# Versions: jax 0.10.2, jaxlib 0.10.2. Date: 2026-11-29. Source: a profile of a training step, then running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
JAX_PLATFORMS=cpu taskset -c "$(taskset -cp $$ | grep -oE '[0-9]+' | tail -1)" venv/bin/python - <<'PYTHON'
import statistics, sys, time
import jax, jax.numpy as jnp

def seconds(function, *arguments):
    function = jax.jit(function)
    jax.block_until_ready(function(*arguments))
    taken = []
    for _ in range(200):
        started = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)

fixed = jax.lax.optimization_barrier
x, g, narrow = (jax.random.normal(jax.random.key(i), (1536, n)) for i, n in enumerate((128, 128, 4)))
weights = jnp.ones((128, 128))
forward = seconds(lambda x, w: x @ w, x, weights)
plain, first = seconds(lambda x, g: x.T @ g, x, g), seconds(lambda x, g: fixed(x.T) @ g, x, g)
plain_4 = seconds(lambda x, g: x.T @ g, x, narrow)
first_4 = seconds(lambda x, g: fixed(fixed(g.T) @ x).T, x, narrow)
for name, value in {"x @ w": forward, "x.T @ g": plain, "fixed(x.T) @ g": first}.items():
    print(f"128 x 128, {name:32s} {1e6 * value:6.0f} us")
for name, value in {"x.T @ g": plain_4, "fixed(fixed(g.T) @ x).T": first_4}.items():
    print(f"128 x 4,   {name:32s} {1e6 * value:6.0f} us")
sys.exit(0 if plain > 1.1 * forward and first < plain and plain_4 > 2 * first_4 else 1)
PYTHON
