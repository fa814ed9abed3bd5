"""Matches in play: who acts in which seat, how long opponents stay, and to whom results are credited."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
import scipy.stats
from toy_matches import (
    LEAGUE,
    LEARNER,
    MEMBERS,
    MIRROR,
    SETTINGS,
    SLOTS,
    Player,
    member_of,
    policy_for,
    pool_for,
)

from league import pool as pools
from mjx_arena.types import Box, Discrete

STEPS = 80
VARIANTS = {
    "box-2": (2, Box(1)),
    "box-3": (3, Box(1)),
    "discrete-3": (3, Discrete(3 * SLOTS)),
}


def seats_of(seat, agents):
    """`[..., A - 1]` of the members, the first of which sits after the learner."""
    return (np.asarray(seat)[..., None] + 1 + np.arange(agents - 1)) % agents


@pytest.fixture(scope="module", params=VARIANTS)
def played(request, toy_arena):
    """STEPS steps, each leaf `[STEPS, ...]`; in the second half slot 2 has another tenant."""
    agents, action = VARIANTS[request.param]
    arena = toy_arena(agents, action, drill_share=0.3)
    policy = policy_for(arena)
    player = Player(arena, policy, member_of(policy, arena, LEARNER))
    pool = pool_for(policy, arena)
    start = player.start(pool, jax.random.key(0))
    middle, first = player.play(pool, start, jax.random.key(1), STEPS // 2)
    other = pool.replace(generation=pool.generation.at[2].add(1))
    _, second = player.play(other, middle, jax.random.key(2), STEPS // 2)
    before, after, view, rows, statistics = jax.tree.map(lambda *x: np.concatenate(x), first, second)
    ended = rows.terminated | rows.truncated
    return SimpleNamespace(
        agents=agents,
        start=start[1],
        before=before,
        after=after,
        view=view,
        rows=rows,
        statistics=statistics,
        generation=np.repeat([pool.generation, other.generation], STEPS // 2, axis=0),
        league_ended=ended[:, MIRROR * agents :],
        ended=np.concatenate([ended[:, : MIRROR * agents : agents], ended[:, MIRROR * agents :]], 1),
    )


def test_every_action_arrives_in_its_seat(played):
    agents, before = played.agents, played.before
    who = np.full((STEPS, MIRROR + LEAGUE, agents), LEARNER)
    np.put_along_axis(who[:, MIRROR:], seats_of(before.seat, agents), before.slot, 2)
    expected = agents * who + np.arange(agents)
    arrived = played.after.arena.memory.action  # of matches that end it is gone
    going = ~played.ended
    assert going.sum() > STEPS and len(np.unique(who[:, MIRROR:][going[:, MIRROR:]])) == MEMBERS
    np.testing.assert_array_equal(arrived[going], expected[going])


def test_learner_rows_are_all_seats_of_mirror_arenas_and_the_own_seat_of_the_others(played):
    agents, before, view = played.agents, played.before, played.view
    own = np.tile(np.arange(agents), (STEPS, MIRROR))
    seat = np.concatenate([own, before.seat], 1)
    arena = np.concatenate([np.repeat(np.arange(MIRROR), agents), np.arange(MIRROR, MIRROR + LEAGUE)])
    np.testing.assert_array_equal(view.observation[..., :agents], np.eye(agents)[seat])
    np.testing.assert_array_equal(view.observation[..., agents], before.arena.step_count[:, arena])
    np.testing.assert_array_equal(played.rows.reward, agents * LEARNER + seat)  # ended matches included
    memory = before.arena.memory
    np.testing.assert_array_equal(view.alive, ~(memory.drill[:, arena] & (memory.dummy[:, arena] == seat)))
    assert 0 < view.alive.mean() < 1
    assert played.rows.valid.all()


def test_the_final_observation_is_from_before_the_reset(played):
    ended = played.rows.terminated | played.rows.truncated
    agents = played.agents
    length = played.rows.final_observation[..., agents]
    np.testing.assert_array_equal(length, played.view.observation[..., agents] + 1)
    assert set(np.unique(length[ended])) <= {2, 3, 4, 5, 8}
    assert np.all(length[played.rows.truncated] == 8) and played.rows.truncated.any()
    assert np.all(played.after.arena.step_count[played.ended] == 0)


def test_a_match_keeps_its_opponents_from_its_first_step_to_its_last(played):
    going = ~played.league_ended
    for name in ("seat", "slot", "generation"):
        before, after = getattr(played.before, name), getattr(played.after, name)
        np.testing.assert_array_equal(after[going], before[going])
        assert np.any(after[~going] != before[~going])  # and only then draws new ones


def test_every_match_draws_its_seat_and_its_members_anew(played):
    ended = played.league_ended
    seats, slots = played.after.seat[ended], played.after.slot[ended]
    assert len(seats) > 60
    assert scipy.stats.chisquare(np.bincount(seats, minlength=played.agents)).pvalue > 1e-3
    counts = np.bincount(slots.ravel(), minlength=SLOTS)
    assert counts[MEMBERS:].sum() == 0  # nobody lives there
    assert scipy.stats.chisquare(counts[:MEMBERS]).pvalue > 1e-3
    generation = np.broadcast_to(played.generation[:, None, None], (*played.after.slot.shape, SLOTS))
    expected = np.take_along_axis(generation, played.after.slot[..., None], 3)[..., 0]
    np.testing.assert_array_equal(played.after.generation[ended], expected[ended])


def test_the_first_matches_are_drawn_too(played):
    start = played.start
    assert start.seat.shape == (LEAGUE,) and start.slot.shape == (LEAGUE, played.agents - 1)
    assert len(np.unique(start.seat)) > 1 and np.all(np.asarray(start.generation) == 1)
    assert start.history.broken.count == 0 and np.all(np.asarray(start.episode_return) == 0)


def test_results_are_credited_to_the_slots_met_with_the_learners_sign(played):
    agents, before = played.agents, played.before
    # A decided match goes by who played higher; one that time ended is a draw.
    code = agents * LEARNER + before.seat[..., None] - (agents * before.slot + seats_of(before.seat, agents))
    decided = played.rows.terminated[:, MIRROR * agents :, None]
    column = 1 - np.sign(code) * decided
    rated = played.league_ended & ~before.arena.memory.drill[:, MIRROR:]
    current = before.generation == np.take_along_axis(
        np.broadcast_to(played.generation[:, None], (STEPS, LEAGUE, SLOTS)), before.slot, 2
    )
    expected = np.zeros((STEPS, SLOTS, 3), int)
    for step, arena, position in np.argwhere(rated[..., None] & current):
        expected[step, before.slot[step, arena, position], column[step, arena, position]] += 1
    np.testing.assert_array_equal(played.statistics.results, expected)
    total = expected.sum(0)
    assert total[0, 2] == total[2, 0] == 0 < min(total[0, 0], total[2, 2], total[1, 0], total[1, 2])
    # What must not count did occur: drills against members, and matches with a member that is gone.
    assert np.any(played.league_ended & ~rated) and np.any(rated[..., None] & ~current)


def test_matches_drills_lengths_and_returns_are_counted(played):
    before, statistics = played.before, played.statistics
    ended, drill = played.ended, before.arena.memory.drill
    np.testing.assert_array_equal(statistics.matches, (ended & ~drill).sum(1))
    np.testing.assert_array_equal(statistics.exercises, (ended & drill).sum(1))
    np.testing.assert_array_equal(statistics.match_steps, (ended * (before.arena.step_count + 1)).sum(1))
    timed_out = ended & (before.arena.step_count == 7)
    np.testing.assert_array_equal(statistics.exercise_survivals, (timed_out & drill).sum(1))
    assert statistics.exercise_survivals.sum() > 0 and np.all(statistics.draws == 0) and np.all(statistics.broken == 0)

    # Rewards are the actions, and they do not change within a match: a return is the action times the steps.
    agents = played.agents
    who = np.full((STEPS, MIRROR + LEAGUE, agents), LEARNER)
    np.put_along_axis(who[:, MIRROR:], seats_of(before.seat, agents), before.slot, 2)
    action = agents * who + np.arange(agents)
    going = action * (before.arena.step_count + 1)[..., None] * ~ended[..., None]
    np.testing.assert_allclose(played.after.episode_return, going, rtol=1e-6)
    alive = ~(drill[..., None] & (before.arena.memory.dummy[..., None] == np.arange(agents)))
    returns = ((action * alive).sum(2) * (before.arena.step_count + 1) * ended).sum(1)
    np.testing.assert_allclose(statistics.returns, returns, rtol=1e-5)
    np.testing.assert_array_equal(statistics.agent_episodes, (alive * ended[..., None]).sum((1, 2)))
    np.testing.assert_allclose(statistics.reward, (action * alive).sum((1, 2)) / alive.sum((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(statistics.metrics["toy"], action.mean((1, 2)), rtol=1e-5)


def test_nobody_plays_an_illegal_choice(toy_arena):
    agents = 3
    arena = toy_arena(agents, Discrete(3), masked=True, time_limit=5)
    policy = policy_for(arena)
    fresh = policy.init(jax.random.key(0))  # hardly has a preference
    player = Player(arena, policy, fresh)
    pool = pools.create(fresh, SETTINGS)
    start = player.start(pool, jax.random.key(0))
    _, (_, after, view, _, _) = player.play(pool, start, jax.random.key(1), 40)
    assert view.action_mask.shape == (40, MIRROR * agents + LEAGUE, 3)
    np.testing.assert_array_equal(view.action_mask.sum(-1), 2)
    played = after.arena.step_count > 0
    assert not np.any(after.arena.memory.illegal)
    assert set(np.unique(after.arena.memory.action[played])) == {0, 1, 2}


@pytest.mark.parametrize(("agents", "mirror"), [(2, 0), (2, MIRROR + LEAGUE), (3, 0), (1, MIRROR + LEAGUE)])
def test_any_share_of_mirror_arenas_works(toy_arena, agents, mirror):
    arena = toy_arena(agents)
    policy = policy_for(arena)
    player = Player(arena, policy, policy.init(jax.random.key(0)), mirror=mirror)
    pool = pools.create(player.learner, SETTINGS)
    start = jax.eval_shape(player._start, pool, jax.random.key(0))
    end, (_, _, view, rows, _) = jax.eval_shape(
        lambda pool, start, key: player._play(pool, start, key, 5), pool, start, jax.random.key(0)
    )
    num_rows = mirror * agents + (MIRROR + LEAGUE - mirror)
    assert view.observation.shape == (5, num_rows, agents + 1) and rows.reward.shape == (5, num_rows)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), end) == jax.tree.map(lambda x: (x.shape, x.dtype), start)
