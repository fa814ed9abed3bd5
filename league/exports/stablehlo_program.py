"""Policies as serialised programs of JAX, in StableHLO: they run without this project, wherever JAX runs."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from league.evaluation import policy_file
from league.exports.contents import Contents

PLATFORMS = ("cpu", "cuda", "tpu")


def write(path: Path, contents: Contents) -> None:
    """Writes the program, for `jax.export.deserialize`, and its description. Raises PolicyFileError if it cannot.

    The format of JAX has no place for a description. It is the file's last line: readers of FlatBuffers pass over what
    comes after the buffer.
    """
    policy_file.write(path, bytes(program(contents).serialize()) + b"\n" + json.dumps(contents.about).encode() + b"\n")


def program(contents: Contents) -> jax.export.Exported:
    """Returns the program, a function of `Contents.inputs` by keyword, which returns `{"action": ..., "value": ...}`.

    Actions are controls `[batch, n]` float32, or choices `[batch]` int32.
    """
    [batch] = jax.export.symbolic_shape("batch")
    shapes = {
        name: jax.ShapeDtypeStruct((batch, size), jnp.dtype(kind)) for name, (size, kind) in contents.inputs.items()
    }
    # By default GPUs and TPUs round the factors of a product to 10 or 7 bits, and so choose other actions than a CPU.
    with jax.default_matmul_precision("highest"), _without_paths():
        return jax.export.export(jax.jit(acting(contents)), platforms=PLATFORMS)(**shapes)


def acting(contents: Contents) -> Callable[..., dict[str, Any]]:
    """Returns the policy as a function of `Contents.inputs`."""

    def act(observation: jax.Array, mask: jax.Array | None = None, noise: jax.Array | None = None) -> dict[str, Any]:
        distribution, value = contents.policy.apply(contents.state, observation, mask)
        return {"action": distribution.mode() if noise is None else distribution.drawn(noise), "value": value}

    return act


@contextlib.contextmanager
def _without_paths() -> Iterator[None]:
    """Keeps the places of this machine's source files out of programs, which are for other people."""
    key = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, key)
    jax.config.update(key, 0)
    try:
        yield
    finally:
        jax.config.update(key, before)
