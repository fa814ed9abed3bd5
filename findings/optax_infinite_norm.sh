#!/usr/bin/env bash
# Behaviour: optax.clip_by_global_norm turns finite gradients into exact zeros where their float32 norm overflows, which it
#   does from entries of 1.8e19 on: the clipped step is g * (limit / inf) = 0. Nothing is NaN, so a guard that looks at
#   gradients or updates (optax.apply_if_finite around it, too) sees a normal step, and Adam's moments take it in as one.
# Guess before running it: the result is NaN or infinite, or it is scaled to the limit as it is for any smaller gradient.
# Versions: optax 0.2.8, jax 0.10.2. Date: 2026-11-29. Source: running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
JAX_PLATFORMS=cpu venv/bin/python - <<'PYTHON'
import sys
import jax.numpy as jnp, optax
guarded = optax.apply_if_finite(optax.clip_by_global_norm(1.0), max_consecutive_errors=5)
results = []
for size in (1e18, 1e20):
    gradient = {"w": jnp.array([size, 1.0], jnp.float32)}
    update, state = guarded.update(gradient, guarded.init(gradient))
    results.append((float(jnp.abs(update["w"]).max()), int(state.total_notfinite)))
    print(f"entry {size:.0e}: largest update {results[-1][0]}, steps counted as not finite {results[-1][1]}")
sys.exit(0 if results == [(1.0, 0), (0.0, 0)] else 1)
PYTHON
