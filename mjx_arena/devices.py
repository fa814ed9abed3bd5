"""Choice of the devices that a program runs on, and of how many arenas each steps at a time."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

from mjx_arena.validation import require

AXIS = "arena"
# Larger blocks can leave every thread of XLA's CPU pool waiting for another one when several virtual devices run
# batched linear algebra at once (seen in jaxlib 0.10.2 from 128 arenas up, with 2 devices on 2 cores).
MAX_CPU_BLOCK = 64


# Arenas with more degrees of freedom than this wait in blocks of any size (with 27, in blocks of 64 and of 32), unless
# XLA's pool has spare threads. Those cost speed, so the duel, whose 20 do not need them, goes without.
_MAX_DOFS = 20


def configure(devices: int | None, num_dofs: int | None = None) -> None:
    """Sets the number of virtual CPU devices: `devices`, or one per core if None. Other backends ignore it.

    `num_dofs` are the degrees of freedom of one arena that XLA solves for, None if not known yet. Has an effect before
    the backend starts alone. Raises SettingError for a count below 1, or above that of a backend that has started.
    """
    require(devices is None or devices >= 1, "devices", devices, "must be at least 1, or null for all there are")
    count = devices or available_cores()
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:  # it has started, as in a notebook: then those that there are
        found = jax.local_devices()
        remedy = f"JAX has begun with {len(found)} here; call mjx_arena.devices.configure({devices}) before you use it"
        enough = devices is None or devices <= len(found) or found[0].platform != "cpu"
        require(enough, "devices", devices, remedy)
    if count > 1 and (num_dofs is None or num_dofs > _MAX_DOFS):
        os.environ.setdefault("NPROC", str(2 * max(count, available_cores())))  # XLA's size of its pool


def available_cores() -> int:
    """Returns the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_mesh(devices: int | None = None) -> Mesh:
    """Builds a mesh of one axis, `arena`, over `devices` devices, all if None. Raises SettingError for too many."""
    found = jax.devices()
    require(
        devices is None or devices <= len(found),
        "devices",
        devices,
        f"there are {len(found)} {found[0].platform} devices",
    )
    if devices is not None:
        own = devices // jax.process_count()  # of each process, all of which must take part
        found = [each for each in found if each in jax.local_devices(each.process_index)[:own]]
    return Mesh(np.array(found), (AXIS,))


def spread(value: np.ndarray, sharding: Sharding) -> jax.Array:
    """Returns an array of the host, the same on every process, laid out over devices.

    `jax.device_put` refuses NaN there: over several processes it compares the arrays, and NaN is not equal to itself.
    """
    return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])


def replicated(tree: Any, mesh: Mesh) -> Any:
    """Returns arrays of the host, the same on every process, on every device of `mesh`."""
    everywhere = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(lambda x: spread(np.asarray(x), everywhere), tree)


def summed(tree: Any) -> Any:
    """Returns the sums over the devices of a `shard_map`, sent as one vector of each dtype.

    Between processes each array is a message of its own, and a message costs more than its content.
    """
    leaves, structure = jax.tree.flatten(tree)
    totals: dict[int, jax.Array] = {}
    for dtype in dict.fromkeys(leaf.dtype for leaf in leaves):  # in an order that is the same on every process
        chosen = [index for index, leaf in enumerate(leaves) if leaf.dtype == dtype]
        vector = jax.lax.psum(jnp.concatenate([leaves[index].ravel() for index in chosen]), AXIS)
        ends = np.cumsum([leaves[index].size for index in chosen])[:-1]
        for index, part in zip(chosen, jnp.split(vector, ends), strict=True):
            totals[index] = part.reshape(leaves[index].shape)
    return jax.tree.unflatten(structure, [totals[index] for index in range(len(leaves))])


def safe_block_size(arenas_per_device: int, wanted: int | None) -> int:
    """Returns how many arenas to step together: all if `wanted` is None, or if the backend is not a CPU.

    On a CPU it is the largest divisor of `arenas_per_device` that is at most `wanted` and at most `MAX_CPU_BLOCK`.
    """
    if wanted is None or jax.default_backend() != "cpu":
        return arenas_per_device  # an accelerator wants every arena at once
    limit = min(wanted, arenas_per_device, MAX_CPU_BLOCK)
    return next(size for size in range(limit, 0, -1) if arenas_per_device % size == 0)
