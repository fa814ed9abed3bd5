"""Who lives in which slot, since when, and that members share nothing with the learner."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from league import pool
from ppo import normalizer
from ppo.policy import PolicyState


def policy_of(value):
    """A policy that is recognisable by every leaf."""
    statistics = jax.tree.map(lambda x: jnp.full_like(x, value), normalizer.init(2))
    return PolicyState(params={"actor": jnp.full((2, 3), value), "critic": jnp.full(2, value)}, normalizer=statistics)


def values_of(stacked):
    """The value of the policy in each slot."""
    values = {tuple(np.asarray(leaf).reshape(leaf.shape[0], -1)[:, 0].tolist()) for leaf in jax.tree.leaves(stacked)}
    assert len(values) == 1, "the leaves of a slot belong to different policies"
    return list(values.pop())


def test_a_new_pool_has_one_member():
    created = pool.create(policy_of(7.0), 3)
    assert created.occupied.tolist() == [True, False, False]
    assert values_of(created.policies)[0] == 7
    assert int(created.newest) == 0 and int(pool.next_slot(created)) == 1
    assert not np.any(created.results.total)


def test_slots_are_filled_in_order_and_the_oldest_goes_first():
    filled = pool.create(policy_of(10.0), 3)
    expected = [
        # after the snapshot of iteration i, which holds 10 + i
        (1, [10, 11, 0], [1, 1, 0], [0, 1, 0]),
        (2, [10, 11, 12], [1, 1, 1], [0, 1, 2]),
        (3, [13, 11, 12], [2, 1, 1], [3, 1, 2]),
        (4, [13, 14, 12], [2, 2, 1], [3, 4, 2]),
        (5, [13, 14, 15], [2, 2, 2], [3, 4, 5]),
        (6, [16, 14, 15], [3, 2, 2], [6, 4, 5]),
    ]
    add = jax.jit(pool.add)
    for iteration, values, generation, iterations in expected:
        filled = add(filled, policy_of(10.0 + iteration), jnp.int32(iteration))
        assert values_of(filled.policies) == values
        assert filled.generation.tolist() == generation
        assert filled.iteration.tolist() == iterations
        assert int(filled.newest) == iteration % 3


def test_a_new_tenant_starts_without_results():
    filled = pool.create(policy_of(1.0), 2)
    filled = pool.add(filled, policy_of(2.0), jnp.int32(1))
    counts = jnp.array([[1, 2, 3], [4, 5, 6]])
    filled = filled.replace(results=filled.results.recorded(counts, 1.0))
    filled = pool.add(filled, policy_of(3.0), jnp.int32(2))
    np.testing.assert_array_equal(filled.results.total, [[0, 0, 0], [4, 5, 6]])
    np.testing.assert_array_equal(filled.results.decayed, [[0, 0, 0], [4, 5, 6]])


def test_the_member_to_be_overwritten_next_retires():
    filled = pool.create(policy_of(1.0), 3)
    drawable = [pool.drawable(filled).tolist()]
    for iteration in range(1, 5):
        filled = pool.add(filled, policy_of(1.0), jnp.int32(iteration))
        drawable.append(pool.drawable(filled).tolist())
    assert drawable == [
        [True, False, False],
        [True, True, False],
        [False, True, True],  # full, slot 0 is next
        [True, False, True],
        [True, True, False],
    ]


def test_a_pool_of_one_keeps_its_only_member():
    single = pool.create(policy_of(1.0), 1)
    assert pool.drawable(single).tolist() == [True]
    single = pool.add(single, policy_of(2.0), jnp.int32(1))
    assert values_of(single.policies) == [2] and single.generation.tolist() == [2]
    assert pool.drawable(single).tolist() == [True]


@pytest.mark.parametrize("slots", [1, 3])
def test_members_share_no_buffer_with_the_learner(slots):
    learner = policy_of(1.0)
    filled = pool.create(learner, slots)
    pointers = {leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(learner)}
    assert not pointers & {leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(filled)}
    step = jax.jit(lambda policy: jax.tree.map(lambda x: (x + 41).astype(x.dtype), policy), donate_argnums=0)
    moved = step(learner)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(learner)), "the test needs the buffers to be reused"
    assert values_of(filled.policies)[0] == 1
    assert values_of(jax.tree.map(lambda x: x[None], moved)) == [42]


@pytest.mark.parametrize("slots", [1, 3])
def test_a_donated_iteration_leaves_members_alone(slots):
    @jax.jit
    def fresh():
        return policy_of(1.0), pool.create(policy_of(0.0), slots)

    def iterate(policy, members, iteration):
        policy = jax.tree.map(lambda x: x + jnp.ones_like(x), policy)
        snapshot = jax.lax.cond(iteration % 2 == 0, lambda: pool.add(members, policy, iteration), lambda: members)
        return policy, snapshot

    iterate = jax.jit(iterate, donate_argnums=(0, 1))
    policy, members = fresh()
    for iteration in range(1, 6):  # the learner holds 1 + iteration; snapshots are taken of 3 and 5
        policy, members = iterate(policy, members, jnp.int32(iteration))
    assert values_of(members.policies) == ([5] if slots == 1 else [0, 3, 5])
    assert values_of(jax.tree.map(lambda x: x[None], policy)) == [6]
