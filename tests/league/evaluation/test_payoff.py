"""What a table of results says, against numbers worked out independently."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from league.evaluation import payoff

ROCK_PAPER_SCISSORS = np.array([[0.5, 0.1, 0.9], [0.9, 0.5, 0.1], [0.1, 0.9, 0.5]])


def rates_of(ratings):
    """Win rates of players whose ratings say it all."""
    ratings = np.asarray(ratings, float)
    return 1 / (1 + np.exp(ratings - ratings[:, None]))


def test_draws_count_half_and_nothing_played_is_one_half():
    results = np.array([[3, 2, 5], [0, 0, 0], [4, 0, 0]])
    np.testing.assert_allclose(payoff.win_rate(results), [0.4, 0.5, 1.0])


def test_wilson_interval_of_seven_in_ten():
    np.testing.assert_allclose(payoff.wilson(np.array(0.7), np.array(10)), (0.396778, 0.892209), atol=1e-6)


def test_wilson_intervals_cover_at_their_rate():
    rng = np.random.default_rng(0)
    for rate in (0.1, 0.5, 0.8):
        found = rng.binomial(200, rate, 4000) / 200
        low, high = payoff.wilson(found, np.array(200))
        assert 0.93 < ((low <= rate) & (rate <= high)).mean() < 0.97


@given(st.lists(st.floats(-4, 4), min_size=2, max_size=8))
@example([0.0, 2.220446049250313e-16])
@example([0.0, 1e-11, -3e-10])
def test_ratings_leave_nothing_cyclic(ratings):
    assert payoff.cyclic_share(rates_of(ratings)) == pytest.approx(0, abs=1e-9)


def test_rock_paper_scissors_is_all_cycle():
    assert payoff.cyclic_share(ROCK_PAPER_SCISSORS.copy()) == pytest.approx(1)


def test_equilibrium_of_rock_paper_scissors_plays_all_alike():
    np.testing.assert_allclose(payoff.nash(ROCK_PAPER_SCISSORS), 1 / 3, atol=1e-9)


def test_equilibrium_plays_the_best_where_one_beats_all():
    np.testing.assert_allclose(payoff.nash(rates_of([0.0, 2.0, 1.0])), [0, 1, 0], atol=1e-9)


@given(st.integers(0, 500), st.integers(2, 7))
def test_nobody_beats_the_equilibrium(seed, size):
    rate = np.random.default_rng(seed).uniform(0, 1, (size, size))
    rate = (rate + 1 - rate.T) / 2
    assert (rate @ payoff.nash(rate)).max() <= 0.5 + 1e-6


def test_smoothed_rates_are_never_0_or_1():
    np.testing.assert_allclose(payoff.smoothed_rate(np.array([[3, 0, 0], [0, 0, 1]])), [3.5 / 4, 0.25])
