"""Computes the actions of many pool members at once: each row of observations belongs to one member.

Two functions give the same numbers. B rows, K slots, T rows in a tile.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Apply = Callable[[Any, Any], Any]  # (parameters of one member, rows [n, ...]) -> results [n, ...]


def apply_per_row(apply: Apply, stacked: Any, slot: jax.Array, rows: Any) -> Any:
    """Gathers one member's weights for every row: simple but slow, the reference for `apply_by_tiles`."""

    def one(slot, row):
        params = jax.tree.map(lambda leaf: leaf[slot], stacked)
        return jax.tree.map(lambda x: x[0], apply(params, jax.tree.map(lambda x: x[None], row)))

    return jax.vmap(one)(slot, rows)


def apply_by_tiles(apply: Apply, stacked: Any, slot: jax.Array, rows: Any, tile_rows: int) -> Any:
    """Sorts rows by slot, pads each slot's group to whole tiles of T rows, and gathers weights once for each tile.

    `ceil(B / T) + K` tiles are always enough, since each slot wastes less than one tile: so all shapes are static.

    Args:
      apply: acts for one member on rows `[T, ...]`; vmapped over tiles it becomes batched matrix products.
      stacked: the members' parameters, leaves `[K, ...]`.
      slot: int32 `[B]`, each within `[0, K)`.
      rows: pytree of `[B, ...]`.

    Returns the results `[B, ...]` in the order of `rows`.
    """
    num_rows, num_slots = slot.shape[0], jax.tree.leaves(stacked)[0].shape[0]
    num_tiles = -(-num_rows // tile_rows) + num_slots

    sizes = jnp.zeros(num_slots, jnp.int32).at[slot].add(1)
    tiles_of_slot = -(-sizes // tile_rows)
    first_row, first_tile = jnp.cumsum(sizes) - sizes, jnp.cumsum(tiles_of_slot) - tiles_of_slot
    order = jnp.argsort(slot, stable=True)
    rank = jnp.zeros(num_rows, jnp.int32).at[order].set(jnp.arange(num_rows, dtype=jnp.int32)) - first_row[slot]
    place = first_tile[slot] * tile_rows + rank  # a group's tiles are contiguous

    def spread(x):
        padded = jnp.zeros((num_tiles * tile_rows, *x.shape[1:]), x.dtype).at[place].set(x, unique_indices=True)
        return padded.reshape(num_tiles, tile_rows, *x.shape[1:])

    # The slot of a tile: how many slots end at or before it. Tiles past the last used one compute unused zeros.
    slot_of_tile = jnp.searchsorted(
        jnp.cumsum(tiles_of_slot), jnp.arange(num_tiles), side="right", method="compare_all"
    )
    slot_of_tile = jnp.minimum(slot_of_tile, num_slots - 1)
    weights = jax.tree.map(lambda leaf: leaf[slot_of_tile], stacked)
    results = jax.vmap(apply)(weights, jax.tree.map(spread, rows))
    return jax.tree.map(lambda x: x.reshape(num_tiles * tile_rows, *x.shape[2:])[place], results)
