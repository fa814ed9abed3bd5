"""Tiles against one gather per row: the same numbers for every way the rows may be spread over the slots."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from league.opponents import apply_by_tiles, apply_per_row
from mjx_arena.types import Box, Discrete
from ppo.policy import Policy
from ppo.settings import PPOSettings

O, N = 3, 2  # noqa: E741
SHAPES = [(12, 4, 3), (7, 3, 4), (5, 6, 1), (10, 4, 16), (1, 5, 2), (9, 1, 4), (16, 8, 4)]  # B, K, T


def members_of(slots):
    rng = np.random.default_rng(slots)
    return {
        "weight": jnp.asarray(rng.normal(size=(slots, O, N)), jnp.float32),
        "bias": jnp.asarray(rng.normal(size=(slots, N)), jnp.float32),
        "number": jnp.arange(slots),
    }


def rows_of(number):
    rng = np.random.default_rng(number)
    return {
        "observation": jnp.asarray(rng.normal(size=(number, O)), jnp.float32),
        "mask": jnp.asarray(rng.random((number, N)) < 0.5),
        "row": jnp.arange(number),
    }


def act(member, rows):
    """Two results of different type and shape, one of which names the member and the row."""
    output = jnp.tanh(rows["observation"] @ member["weight"] + member["bias"])
    return {"action": jnp.where(rows["mask"], output, -9), "who": member["number"] * 1000 + rows["row"]}


@pytest.mark.parametrize(("num_rows", "num_slots", "tile_rows"), SHAPES)
def test_tiles_equal_rows_for_every_spread_of_the_slots(num_rows, num_slots, tile_rows):
    members, rows = members_of(num_slots), rows_of(num_rows)
    by_tiles = jax.jit(lambda slot: apply_by_tiles(act, members, slot, rows, tile_rows))
    per_row = jax.jit(lambda slot: apply_per_row(act, members, slot, rows))

    def check(slot):
        tiles, reference = by_tiles(slot), per_row(slot)
        np.testing.assert_array_equal(tiles["who"], slot * 1000 + np.arange(num_rows))
        np.testing.assert_array_equal(reference["who"], tiles["who"])
        np.testing.assert_allclose(tiles["action"], reference["action"], rtol=1e-5, atol=1e-6)

    for slot in range(num_slots):  # all rows in one slot, the others empty
        check(np.full(num_rows, slot, np.int32))
    check(np.arange(num_rows, dtype=np.int32) % num_slots)
    check(np.arange(num_rows, dtype=np.int32)[::-1] % num_slots)

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.integers(0, num_slots - 1), min_size=num_rows, max_size=num_rows))
    def any_spread(slot):
        check(np.array(slot, np.int32))

    any_spread()


@pytest.mark.parametrize("action", [Box(2), Discrete(3)])
def test_policies_act_by_tiles_as_they_do_by_rows(action):
    policy = Policy(O, action, PPOSettings(actor_hidden=(8,), critic_hidden=(8,)))
    members = jax.vmap(policy.init)(jax.random.split(jax.random.key(0), 4))
    members = jax.tree.map(lambda x: x + 0.1 * jnp.arange(4).reshape(4, *[1] * (x.ndim - 1)).astype(x.dtype), members)
    observation = rows_of(10)["observation"]
    mask = jnp.ones((10, 3), bool).at[::2, 1].set(False) if isinstance(action, Discrete) else None
    slot = jnp.array([3, 0, 0, 2, 3, 3, 3, 0, 2, 2])

    def distribution(member, rows):
        return policy.distribution(member, *rows)

    tiles = jax.jit(lambda: apply_by_tiles(distribution, members, slot, (observation, mask), 3))()
    reference = jax.jit(lambda: apply_per_row(distribution, members, slot, (observation, mask)))()
    for one, two in zip(jax.tree.leaves(tiles), jax.tree.leaves(reference), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    for row, who in enumerate(slot.tolist()):
        member = jax.tree.map(lambda x: x[who], members)  # noqa: B023
        alone = policy.distribution(member, observation[row], None if mask is None else mask[row])
        np.testing.assert_allclose(tiles.mode()[row], alone.mode(), rtol=1e-5, atol=1e-6)


def test_unused_tiles_cannot_spoil_the_rows():
    # Padding rows are zeros: a member that divides by its observation makes NaN of them, and of nothing else.
    members = {"scale": jnp.array([1.0, 2.0, 3.0])}
    rows = jnp.array([1.0, 2.0, 4.0, 8.0])
    results = apply_by_tiles(lambda member, x: member["scale"] / x, members, jnp.array([2, 0, 2, 2]), rows, 2)
    np.testing.assert_allclose(results, [3, 0.5, 0.75, 0.375])


def test_no_rows_give_no_results():
    results = apply_by_tiles(act, members_of(3), jnp.zeros(0, jnp.int32), rows_of(0), 4)
    assert results["action"].shape == (0, N) and results["who"].shape == (0,)
