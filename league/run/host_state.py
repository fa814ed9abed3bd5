"""A run's state as arrays of the host: fetched from all devices of all processes, and placed on them again.

Typed random keys become their data, `uint32 [..., 2]`: Orbax and NumPy have no other form for them on the host.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from mjx_arena import devices


def fetched(tree: Any) -> Any:
    """Returns a tree with NumPy arrays, whole on every process. All processes of a run must call it together."""
    tree = jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, tree)
    leaves = [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, jax.Array)]
    if not all(leaf.is_fully_addressable for leaf in leaves):
        tree = jax.jit(lambda x: x, out_shardings=NamedSharding(_mesh(leaves[0]), P()))(tree)
    return jax.tree.map(np.asarray, jax.device_get(tree))


def plain(target: Any) -> Any:
    """Returns a tree of arrays, or of `ShapeDtypeStruct`s in their place, as the shapes of `fetched` arrays."""
    return jax.tree.map(_plain, target)


def placed(host: Any, target: Any) -> Any:
    """Returns `fetched` arrays on devices, with the shardings and the random keys of `target`, as in `plain`.

    Leaves of `target` without a sharding go to the default device.
    """
    return jax.tree.map(_placed, host, target)


def _mesh(array: jax.Array) -> jax.sharding.Mesh:
    assert isinstance(array.sharding, NamedSharding)
    return array.sharding.mesh  # type: ignore[return-value]


def _plain(leaf: Any) -> jax.ShapeDtypeStruct:
    if _is_key(leaf):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


def _placed(value: np.ndarray, target: Any) -> jax.Array:
    sharding = getattr(target, "sharding", None)
    if value.size == 0 and isinstance(sharding, NamedSharding):
        sharding = NamedSharding(sharding.mesh, P())  # as a compiled program returns it
    array = jnp.asarray(value) if sharding is None else devices.spread(value, sharding)
    return jax.random.wrap_key_data(array) if _is_key(target) else array


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(getattr(leaf, "dtype", np.int32), jax.dtypes.prng_key)
