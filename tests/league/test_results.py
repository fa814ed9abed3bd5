"""Counting and decaying results, by hand and against plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from league.results import Results, count

K, GAMES = 4, 12
counted_games = jax.jit(count)


def test_counting_by_hand():
    counts = count(
        slot=jnp.array([[0, 2], [2, 2], [1, 0]]),
        generation=jnp.array([[1, 1], [1, 1], [5, 1]]),
        current_generation=jnp.array([1, 6, 1]),
        score=jnp.array([[1.0, -0.5], [0.0, 2.0], [1.0, -1.0]]),
        counted=jnp.array([[True, True], [True, True], [True, False]]),
    )
    # Slot 0: the win counts, the loss of the last row is not rated. Slot 1: generation 5 is gone, its win is dropped.
    # Slot 2: a loss, a draw and a win.
    np.testing.assert_array_equal(counts, [[1, 0, 0], [0, 0, 0], [1, 1, 1]])
    assert counts.dtype == jnp.int32


@settings(deadline=None)
@given(
    slot=npst.arrays(np.int32, GAMES, elements=st.integers(0, K - 1)),
    generation=npst.arrays(np.int32, GAMES, elements=st.integers(0, 2)),
    current=npst.arrays(np.int32, K, elements=st.integers(0, 2)),
    score=npst.arrays(np.float32, GAMES, elements=st.sampled_from([-2.0, -0.25, 0.0, 0.5, 1.0])),
    counted=npst.arrays(bool, GAMES),
)
def test_counting_equals_a_loop(slot, generation, current, score, counted):
    expected = np.zeros((K, 3), int)
    for game in range(GAMES):
        if counted[game] and generation[game] == current[slot[game]]:
            expected[slot[game], 0 if score[game] > 0 else 1 if score[game] == 0 else 2] += 1
    np.testing.assert_array_equal(counted_games(slot, generation, current, score, counted), expected)


def test_decay_by_hand():
    # Slot 0: four wins, then a win and a draw at once: each old game counts 0.5^2 of what it did, 4 -> 1. Slot 1 has no
    # new game and keeps all.
    results = Results.zeros(2).recorded(jnp.array([[4, 0, 0], [0, 3, 1]]), 0.5)
    results = results.recorded(jnp.array([[1, 1, 0], [0, 0, 0]]), 0.5)
    np.testing.assert_array_equal(results.total, [[5, 1, 0], [0, 3, 1]])
    np.testing.assert_allclose(results.decayed, [[2, 1, 0], [0, 3, 1]])
    # (2 + 1/2) / 3 and (0 + 3/2) / 4
    np.testing.assert_allclose(results.win_rate(), [2.5 / 3, 1.5 / 4], rtol=1e-6)


def test_win_rate_is_a_half_where_nothing_has_been_played():
    np.testing.assert_array_equal(Results.zeros(3).win_rate(), 0.5)


def test_decayed_games_approach_their_limit_and_never_vanish():
    # One win after another at decay 0.9: 1 + 0.9 + 0.9^2 + ... = 10.
    step = jax.jit(lambda results, counts: results.recorded(counts, 0.9))
    results = Results.zeros(1)
    for _ in range(200):
        results = step(results, jnp.array([[1, 0, 0]]))
    assert int(results.total[0, 0]) == 200
    assert float(results.decayed[0, 0]) == pytest.approx(10, rel=1e-4)
    # A thousand losses at once leave of the old wins 10 * 0.9^1000 = 0; the win rate stays a number.
    results = step(results, jnp.array([[0, 0, 1000]]))
    assert float(results.win_rate()[0]) == pytest.approx(0, abs=1e-6)


@settings(deadline=None)
@given(npst.arrays(np.int32, (3, K, 3), elements=st.integers(0, 9)), st.floats(0.125, 1, width=32))
def test_swapping_the_players_mirrors_the_win_rate(history, decay):
    one, two = Results.zeros(K), Results.zeros(K)
    for counts in history:
        one, two = one.recorded(jnp.asarray(counts), decay), two.recorded(jnp.asarray(counts[:, ::-1]), decay)
    rate = np.asarray(one.win_rate())
    assert np.all((rate >= 0) & (rate <= 1))
    np.testing.assert_allclose(rate, 1 - np.asarray(two.win_rate()), atol=1e-5)
    np.testing.assert_array_equal(one.total, history.sum(0))


def test_clearing_empties_one_slot():
    results = Results.zeros(3).recorded(jnp.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), 1.0).cleared(jnp.int32(1))
    for table in (results.total, results.decayed):
        np.testing.assert_array_equal(table, [[1, 2, 3], [0, 0, 0], [7, 8, 9]])
