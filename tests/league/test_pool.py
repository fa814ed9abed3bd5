"""Who lives in which slot, since when, and that members share nothing with the learner."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from league import pool
from league.roles import enough_wins
from league.settings import LeagueSettings
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


def settings_for(slots, **changes):
    return LeagueSettings(player_pool_length=slots, **{"keep_untrained": False, **changes})


def filled_pool(settings, iterations):
    """The untrained policy, 10, and a snapshot 10 + i of each iteration i."""
    filled = pool.create(policy_of(10.0), settings)
    for iteration in iterations:
        filled = pool.add(filled, policy_of(10.0 + iteration), jnp.int32(iteration), settings, role=0)
    return filled


def test_a_new_pool_has_one_member():
    created = pool.create(policy_of(7.0), settings_for(3))
    assert created.occupied.tolist() == [True, False, False]
    assert values_of(created.policies)[0] == 7
    assert int(created.record(0).newest) == 0 and int(created.next) == 1
    assert not np.any(created.records.results.total) and float(created.record(0).elo) == 1000


def test_slots_are_filled_in_order_and_the_oldest_goes_first():
    settings = settings_for(3)
    filled = filled_pool(settings, [])
    expected = [
        # after the snapshot of iteration i, which holds 10 + i
        (1, [10, 11, 0], [1, 1, 0], [0, 1, 0]),
        (2, [10, 11, 12], [1, 1, 1], [0, 1, 2]),
        (3, [13, 11, 12], [2, 1, 1], [3, 1, 2]),
        (4, [13, 14, 12], [2, 2, 1], [3, 4, 2]),
        (5, [13, 14, 15], [2, 2, 2], [3, 4, 5]),
        (6, [16, 14, 15], [3, 2, 2], [6, 4, 5]),
    ]
    add = jax.jit(lambda *arguments: pool.add(*arguments, settings, role=0))
    for iteration, values, generation, iterations in expected:
        filled = add(filled, policy_of(10.0 + iteration), jnp.int32(iteration))
        assert values_of(filled.policies) == values
        assert filled.generation.tolist() == generation
        assert filled.iteration.tolist() == iterations
        assert int(filled.record(0).newest) == iteration % 3


def test_the_untrained_policy_stays_while_others_go():
    filled = filled_pool(settings_for(3, keep_untrained=True), range(1, 6))
    assert values_of(filled.policies) == [10, 15, 14]


def test_the_member_that_is_beaten_most_goes_first():
    settings = settings_for(4, eviction="easiest")
    filled = filled_pool(settings, range(1, 3))
    counts = jnp.array([[6, 0, 4], [9, 0, 1], [2, 0, 8], [0, 0, 0]])
    filled = pool.recorded(filled, counts[None], jnp.full((1, 4), 0.25), settings)
    filled = pool.add(filled, policy_of(13.0), jnp.int32(3), settings, role=0)
    assert int(filled.next) == 1
    filled = pool.add(filled, policy_of(14.0), jnp.int32(4), settings, role=0)
    assert values_of(filled.policies) == [10, 14, 12, 13] and int(filled.next) == 0


def test_a_new_tenant_starts_without_results_and_with_the_learner_s_rating():
    settings = settings_for(2, result_decay=1.0)
    filled = filled_pool(settings, [1])
    filled = pool.recorded(filled, jnp.array([[[1, 2, 3], [6, 5, 4]]]), jnp.full((1, 2), 0.5), settings)
    assert filled.record(0).since.tolist() == [7, 7, 7]
    rating = float(filled.record(0).elo)
    filled = pool.add(filled, policy_of(3.0), jnp.int32(2), settings, role=0)
    np.testing.assert_array_equal(filled.record(0).results.total, [[0, 0, 0], [6, 5, 4]])
    np.testing.assert_array_equal(filled.record(0).results.decayed, [[0, 0, 0], [6, 5, 4]])
    assert filled.record(0).since.tolist() == [0, 0, 0] and float(filled.elo[0]) == rating


def test_the_member_to_be_overwritten_next_retires():
    settings = settings_for(3)
    filled = filled_pool(settings, [])
    drawable = [pool.drawable(filled).tolist()]
    for iteration in range(1, 5):
        filled = pool.add(filled, policy_of(1.0), jnp.int32(iteration), settings, role=0)
        drawable.append(pool.drawable(filled).tolist())
    assert drawable == [
        [True, False, False],
        [True, True, False],
        [False, True, True],  # full, slot 0 is next
        [True, False, True],
        [True, True, False],
    ]


GATE = LeagueSettings(snapshot_win_rate=0.7, snapshot_min_games=20, snapshot_interval=5)


@pytest.mark.parametrize(
    ("counts", "iteration", "expected"),
    [
        ((15, 0, 5), 1, True),
        ((14, 0, 6), 1, False),  # not above 0.7
        ((13, 3, 4), 1, True),  # draws count half
        ((19, 0, 0), 1, False),  # too few games
        ((0, 0, 40), 4, False),
        ((0, 0, 40), 5, True),  # long enough
    ],
)
def test_a_snapshot_is_due_after_enough_wins_or_in_any_case_after_a_while(counts, iteration, expected):
    filled = pool.create(policy_of(1.0), GATE)
    counts = jnp.zeros((GATE.player_pool_length, 3), jnp.int32).at[0].set(jnp.array(counts))
    filled = pool.recorded(filled, counts[None], jnp.ones((1, GATE.player_pool_length)), GATE)
    assert bool(enough_wins(filled, filled.record(0), jnp.int32(iteration), GATE)) == expected


def test_without_a_win_rate_only_time_counts():
    settings = LeagueSettings(snapshot_win_rate=None, snapshot_interval=5)
    filled = pool.create(policy_of(1.0), settings)
    record = filled.record(0).replace(since=jnp.array([1000, 0, 0]))
    assert [bool(enough_wins(filled, record, jnp.int32(i), settings)) for i in (1, 4, 5)] == [False, False, True]


def test_members_that_lose_fall_out_of_favour():
    """OpenAI Five: q falls by eta / (N p) for every win of the learner, and by nothing for a loss."""
    settings = settings_for(4, quality_step=0.01)
    filled = filled_pool(settings, [1])
    filled = pool.recorded(
        filled, jnp.array([[[3, 0, 0], [0, 2, 5], [0, 0, 0], [0, 0, 0]]]), jnp.array([[0.6, 0.4, 0, 0]]), settings
    )
    np.testing.assert_allclose(filled.record(0).quality, [-3 * 0.01 / (2 * 0.6), 0, 0, 0], rtol=1e-6)
    filled = pool.add(filled, policy_of(3.0), jnp.int32(2), settings, role=0)
    assert float(filled.record(0).quality[2]) == 0, "newcomers have the best quality there is"


@pytest.mark.parametrize("slots", [2, 3])
def test_members_share_no_buffer_with_the_learner(slots):
    learner = policy_of(1.0)
    filled = pool.create(learner, settings_for(slots))
    pointers = {leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(learner)}
    assert not pointers & {leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(filled)}
    step = jax.jit(lambda policy: jax.tree.map(lambda x: (x + 41).astype(x.dtype), policy), donate_argnums=0)
    moved = step(learner)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(learner)), "the test needs the buffers to be reused"
    assert values_of(filled.policies)[0] == 1
    assert values_of(jax.tree.map(lambda x: x[None], moved)) == [42]


@pytest.mark.parametrize("slots", [2, 3])
def test_a_donated_iteration_leaves_members_alone(slots):
    @jax.jit
    def fresh():
        return policy_of(1.0), pool.create(policy_of(0.0), settings_for(slots))

    def iterate(policy, members, iteration):
        policy = jax.tree.map(lambda x: x + jnp.ones_like(x), policy)
        due = iteration % 2 == 0
        room = settings_for(slots)
        snapshot = jax.lax.cond(due, lambda: pool.add(members, policy, iteration, room, role=0), lambda: members)
        return policy, snapshot

    iterate = jax.jit(iterate, donate_argnums=(0, 1))
    policy, members = fresh()
    for iteration in range(1, 6):  # the learner holds 1 + iteration; snapshots are taken of 3 and 5
        policy, members = iterate(policy, members, jnp.int32(iteration))
    assert values_of(members.policies) == ([5, 3] if slots == 2 else [0, 3, 5])
    assert values_of(jax.tree.map(lambda x: x[None], policy)) == [6]
