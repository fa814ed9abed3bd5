"""Schedules are fair, tables are right, and ratings recover who is better."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from league.evaluation import evaluator, tournament
from league.evaluation.evaluator import Evaluator, Records
from league.evaluation.sources import Contestant
from mjx_arena import devices
from ppo.policy import Policy
from ppo.settings import PPOSettings

STRENGTHS = (0.0, 2.0, 0.6, 1.3, 3.0)


@given(players=st.integers(2, 9), matches=st.integers(1, 40), seed=st.integers(0, 99))
@hypothesis_settings(deadline=None, max_examples=40)
def test_every_pair_meets_equally_often_in_both_seats(players, matches, seed):
    lineups = tournament.schedule(players, 2, matches, seed)
    met = np.zeros((players, players), int)
    np.add.at(met, tuple(lineups.T), 1)
    expected = np.full((players, players), -(-matches // 2))
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(met, expected)
    np.testing.assert_array_equal(lineups[::2], lineups[1::2, ::-1])


@given(players=st.integers(2, 9), agents=st.integers(3, 6), seed=st.integers(0, 99))
@hypothesis_settings(deadline=None, max_examples=40)
def test_line_ups_of_more_sit_in_every_seat_and_play_about_equally_often(players, agents, seed):
    lineups = tournament.schedule(players, agents, 30, seed)
    groups = lineups.reshape(-1, agents, agents)
    for seat in range(agents):
        np.testing.assert_array_equal(groups[:, seat], np.roll(groups[:, 0], seat, axis=1))
    played = np.bincount(lineups.ravel(), minlength=players)
    assert played.max() - played.min() <= agents
    pairs = players * (players - 1) / 2
    assert len(lineups) * agents * (agents - 1) / 2 >= 30 * pairs


def test_results_and_ranks_by_hand(toy_arena):
    lineups = np.array([[0, 1, 2], [2, 0, 1], [1, 1, 0], [0, 2, 1]])
    records = Records(
        outcome=np.array([[1.0, 0, -1], [1, -0.5, -0.5], [0, -1, 1], [1, 0, -1]]),
        terminated=np.ones(4, bool),
        length=np.ones(4, int),
        rated=np.ones(4, bool),
        valid=np.array([True, True, True, False]),
        returns=np.zeros((4, 3)),
        metrics={},
    )
    result = tournament.judge(lineups, records, 3, 0, toy_arena(3))
    # 0 against 1: won, drew, and won twice against the same player in two seats. Whoever meets itself is not counted.
    assert result.results[0, 1].tolist() == [3, 1, 0] and result.results[1, 0].tolist() == [0, 1, 3]
    assert result.results[0, 2].tolist() == [1, 0, 1] and result.results[1, 2].tolist() == [1, 0, 1]
    assert not result.results[[0, 1, 2], [0, 1, 2]].any()
    assert result.void == 1
    np.testing.assert_allclose(result.mean_rank, [(1 + 2.5 + 1) / 3, (2 + 2.5 + 2 + 3) / 4, (3 + 1) / 2])
    np.testing.assert_allclose(result.score, [(3.5 / 4 + 1 / 2) / 2, (0.5 / 4 + 1 / 2) / 2, 1 / 2])


def _contestants(arena, hidden=((), (), (), (), ())):
    """Policies who play their strength with noise of size 1; the higher action wins a match."""
    found = []
    for index, (strength, layers) in enumerate(zip(STRENGTHS, hidden, strict=True)):
        settings = PPOSettings(actor_hidden=layers, critic_hidden=(), initial_log_std=0.0)
        policy = Policy(arena.observation_size, arena.action, settings)
        state = jax.tree.map(jnp.zeros_like, policy.init(jax.random.key(0)))
        last = state.params["actor"]["params"][f"Dense_{len(layers)}"]
        state.params["actor"]["params"][f"Dense_{len(layers)}"] = last | {"bias": jnp.array([strength])}
        found.append(Contestant("run", "learner", index, index * 100, policy, state))
    return found


@pytest.mark.parametrize(
    ("agents", "hidden"), [(2, ((),) * 5), (3, ((),) * 5), (2, ((), (3,), (), (4,), (3,)))], ids=["2", "3", "mixed"]
)
def test_ratings_recover_who_is_stronger(toy_arena, monkeypatch, agents, hidden):
    """In one program with a queue, also for policies of several architectures."""
    monkeypatch.setattr(evaluator, "_ARENAS", 48)
    arena = toy_arena(agents)
    contestants = _contestants(arena, hidden)
    policies = [contestants[group[0]].policy for group in tournament.grouped(contestants)[0]]
    assert len(policies) == len(set(hidden))
    lineups, records = tournament.play(
        Evaluator(arena, policies, devices.make_mesh(), 16, sampled=True), contestants, 60, seed=3
    )
    assert len(lineups) >= 200 and records.valid.all() and (records.length >= 2).all()
    result = tournament.judge(lineups, records, len(contestants), 3, arena)
    assert np.argsort(result.ratings.rating).tolist() == np.argsort(STRENGTHS).tolist()
    assert result.results.sum() == len(lineups) * agents * (agents - 1) - _met_themselves(lineups)
    # Against the next weaker one by 0.6 to 1 of noise sqrt(2), the strongest wins most: it is the equilibrium.
    assert np.argmax(result.nash) == 4 and result.nash[4] > 0.9 and result.cyclic_share < 0.1
    correlation = tournament.rating_step_correlation(contestants, result.ratings)
    assert correlation == {"run learner": pytest.approx(0.7)}  # ranks 1 4 2 3 5 against 1 2 3 4 5: 1 - 6 * 6 / 120
    assert result.as_dict(contestants, list("abcde"))["members"][4]["name"] == "e"


def _met_themselves(lineups):
    same = lineups[:, :, None] == lineups[:, None]
    return int(same.sum() - lineups.size)


def test_the_same_seed_gives_the_same_table(toy_arena):
    arena = toy_arena(2)
    contestants = _contestants(arena)
    played = Evaluator(arena, [contestants[0].policy], devices.make_mesh(), 16, sampled=True)
    one, two, other = (tournament.play(played, contestants, 10, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[1].outcome, two[1].outcome)
    assert np.any(one[1].outcome != other[1].outcome)
