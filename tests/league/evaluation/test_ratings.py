"""Ratings recover what was planted, and their intervals cover it."""

import choix
import numpy as np
import pytest

from league import elo
from league.evaluation import ratings


def tournament(skill, games, seed, draw_share=0.0):
    """Results `[K, K, 3]` of players whose `skill` is on Elo's scale."""
    rng, size = np.random.default_rng(seed), len(skill)
    results = np.zeros((size, size, 3), int)
    for i in range(size):
        for j in range(i):
            rate = 1 / (1 + 10 ** ((skill[j] - skill[i]) / 400))
            drawn = rng.binomial(games, draw_share)
            won = rng.binomial(games - drawn, rate)
            results[i, j] = won, drawn, games - drawn - won
            results[j, i] = results[i, j][::-1]
    return results


@pytest.mark.parametrize("seed", range(5))
def test_bradley_terry_agrees_with_another_solver(seed):
    skill = np.random.default_rng(seed).normal(1000, 200, 6)
    results = tournament(skill, 40, seed)
    pairs = [(i, j) for i in range(6) for j in range(6) for _ in range(results[i, j, 0])]
    strength = choix.opt_pairwise(6, pairs, alpha=1e-6)
    expected = 400 / np.log(10) * (strength - strength[0])
    rating = ratings.bradley_terry(results).rating
    np.testing.assert_allclose(rating - rating[0], expected, atol=1.5)


def test_ratings_recover_a_planted_order():
    skill = np.linspace(700, 1300, 12)
    rated = ratings.bradley_terry(tournament(skill, 300, 0, draw_share=0.2))
    assert (np.argsort(rated.rating) == np.arange(12)).all()


def test_a_player_who_won_everything_has_a_finite_rating():
    results = np.zeros((2, 2, 3), int)
    results[0, 1], results[1, 0] = (50, 0, 0), (0, 0, 50)
    assert np.isfinite(ratings.bradley_terry(results).rating).all()


def test_a_player_that_always_loses_leaves_the_others_intervals_alone():
    skill = np.array([200.0, 1070, 1110, 1140, 1220])  # the first wins hardly any game
    with_it = ratings.bradley_terry(tournament(skill, 100, 0))
    without = ratings.bradley_terry(tournament(skill, 100, 0)[1:, 1:])
    widths = (with_it.high - with_it.low)[1:] / (without.high - without.low)
    assert (widths < 1.15).all()
    assert with_it.high[0] - with_it.low[0] > 2 * (with_it.high - with_it.low)[1:].max()


def test_equal_players_count_alike_so_1000_is_their_mean():
    results = np.full((4, 4, 3), (40, 20, 40)) * ~np.eye(4, dtype=bool)[..., None]
    results[0, 1], results[1, 0] = (60, 20, 20), (20, 20, 60)
    assert ratings.bradley_terry(results).rating.mean() == pytest.approx(1000, abs=0.5)


def test_neighbours_differ_by_the_gaps_of_their_ratings():
    rated = ratings.bradley_terry(tournament(np.array([1000.0, 1300, 900]), 200, 0))
    best_first = [1, 0, 2]
    np.testing.assert_allclose(rated.ahead[best_first[:2]], -np.diff(rated.rating[best_first]))
    assert np.isnan([rated.ahead[2], rated.ahead_low[2], rated.ahead_high[2]]).all()
    assert (rated.ahead_low[:2] < rated.ahead[:2]).all() and (rated.ahead[:2] < rated.ahead_high[:2]).all()
    # Common games make a difference more certain than the two ratings apart.
    assert rated.ahead_high[0] - rated.ahead_low[0] < np.sum((rated.high - rated.low)[[0, 2]])


@pytest.mark.slow
def test_intervals_cover_at_the_stated_rate():
    skill = np.array([850.0, 950.0, 1000.0, 1050.0, 1150.0])
    covered = []
    for seed in range(60):
        rated = ratings.bradley_terry(tournament(skill, 100, seed), seed)
        covered.append((rated.low <= skill) & (skill <= rated.high))
    assert 0.90 < np.mean(covered) < 0.99


def test_plackett_luce_recovers_a_planted_order_of_line_ups():
    rng, skill = np.random.default_rng(0), np.arange(6.0)
    lineups = np.array([rng.choice(6, 4, replace=False) for _ in range(800)])
    ranks = 1 + np.argsort(np.argsort(-(skill[lineups] + rng.gumbel(size=lineups.shape)), axis=1), axis=1)
    rated = ratings.plackett_luce(lineups, ranks, 6)
    assert (np.argsort(rated.rating) == np.arange(6)).all()
    assert (rated.low < rated.rating).all() and (rated.rating < rated.high).all()


def test_plackett_luce_takes_ranks_by_their_order_alone():
    rng = np.random.default_rng(0)
    lineups = np.array([rng.permutation(4) for _ in range(50)])
    whole = rng.integers(1, 4, lineups.shape)  # with ties
    graded = 1 + (whole - 1) * 0.05
    for one, two in zip(
        ratings.plackett_luce(lineups, whole, 4), ratings.plackett_luce(lineups, graded, 4), strict=True
    ):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("before", "after"),
    [((1200, 1000), (1207.68809835, 992.31190165)), ((900, 1000), (920.48207999, 979.51792001))],
)
def test_online_elo_of_one_game_is_that_of_the_textbook(before, after):
    learner, members = elo.updated(
        np.float32(before[0]), np.array([before[1], 500.0]), np.array([[1, 0, 0], [0, 0, 0]])
    )
    np.testing.assert_allclose([learner, members[0]], after, rtol=1e-6)
    assert members[1] == 500
