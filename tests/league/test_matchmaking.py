"""Whom the matchmakers name, and that draws follow the probabilities to the last bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from league import matchmaking, pool
from league.settings import MATCHMAKERS as NAMES
from league.settings import LeagueSettings
from ppo import normalizer
from ppo.policy import PolicyState

K = 6
draw = jax.jit(matchmaking.draw, static_argnums=2)


def pool_of(members, slots=K):
    policy = PolicyState(params={"w": jnp.zeros(2)}, normalizer=normalizer.init(1))
    filled = pool.create(policy, slots)
    for iteration in range(1, members):
        filled = pool.add(filled, policy, jnp.int32(iteration))
    return filled


def test_settings_and_matchmakers_name_the_same():
    assert set(NAMES) == set(matchmaking.MATCHMAKERS)


@pytest.mark.parametrize(
    ("members", "latest", "uniform"),
    [
        (1, [1, 0, 0, 0], [1, 0, 0, 0]),
        (3, [0, 0, 1, 0], [1 / 3, 1 / 3, 1 / 3, 0]),
        (4, [0, 0, 0, 1], [0, 1 / 3, 1 / 3, 1 / 3]),  # full: slot 0 is the next to be overwritten and retires
        (6, [0, 1, 0, 0], [1 / 3, 1 / 3, 0, 1 / 3]),  # slots 0 and 1 have their second tenants, slot 2 retires
    ],
)
def test_probabilities_by_hand(members, latest, uniform):
    filled = pool_of(members, 4)
    setting = LeagueSettings(pool_slots=4, latest_share=0.25)
    np.testing.assert_allclose(matchmaking.latest(filled, setting), latest)
    np.testing.assert_allclose(matchmaking.uniform(filled, setting), uniform, rtol=1e-6)
    mixed = 0.25 * np.array(latest) + 0.75 * np.array(uniform)
    np.testing.assert_allclose(matchmaking.mix(filled, setting), mixed, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("slots", [1, 2, 5])
def test_probabilities_sum_to_one_and_spare_the_empty_and_the_retiring(name, slots):
    filled = pool_of(1, slots)
    for iteration in range(1, 2 * slots + 2):
        for share in (0.0, 0.4, 1.0):
            probability = matchmaking.MATCHMAKERS[name](filled, LeagueSettings(latest_share=share))
            assert float(probability.sum()) == pytest.approx(1, abs=1e-6)
            assert np.all(np.asarray(probability) >= 0)
            assert np.all(np.asarray(probability)[~np.asarray(filled.occupied)] == 0)
            if slots > 1:
                assert probability[pool.next_slot(filled)] == 0
        filled = pool.add(filled, jax.tree.map(lambda x: x[0], filled.policies), jnp.int32(iteration))


@pytest.mark.parametrize("probability", [[0.5, 0, 0.3, 0.2, 0, 0], [0, 0.1, 0.1, 0.1, 0.1, 0.6], [1 / 6] * 6])
def test_frequencies_follow_the_probabilities(probability):
    slots = np.asarray(draw(jnp.array(probability), jax.random.key(0), (200, 100)))
    assert slots.shape == (200, 100) and slots.dtype == np.int32
    counts, expected = np.bincount(slots.ravel(), minlength=K), 20_000 * np.array(probability)
    assert counts[expected == 0].sum() == 0
    assert scipy.stats.chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-3


@settings(deadline=None)
@given(npst.arrays(np.float32, K, elements=st.one_of(st.just(0.0), st.floats(2**-20, 1, width=32))), st.integers(0, 99))
def test_slots_of_probability_zero_are_never_drawn(weight, seed):
    assume(weight.sum() > 0)
    probability = weight / weight.sum()
    slots = np.asarray(draw(jnp.asarray(probability), jax.random.key(seed), (500,)))
    assert np.all(probability[slots] > 0)


@pytest.mark.parametrize("slots", [7, 32, 600])
def test_no_point_of_the_unit_interval_falls_to_a_slot_of_probability_zero(monkeypatch, slots):
    # Beyond some hundred slots a cumulative sum is taken in pieces, and may rise by rounding where nothing was added.
    # So try the points next to every step of it, and both ends.
    rng = np.random.default_rng(slots)
    weight = (rng.random(slots) * (rng.random(slots) < 0.6)).astype(np.float32)
    weight[[0, -1]] = 0
    probability = jnp.asarray(weight / weight.sum())
    steps = np.asarray(jnp.cumsum(probability))
    steps = steps / steps[-1]
    near = [steps]
    for _ in range(3):
        near = [np.nextafter(near[0], np.float32(-1)), *near, np.nextafter(near[-1], np.float32(2))]
    points = np.concatenate([[0, 1 - 2**-24], *near]).astype(np.float32)
    points = jnp.asarray(points[(points >= 0) & (points < 1)])
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape: points)
    found = np.asarray(matchmaking.draw(probability, jax.random.key(0), points.shape))
    assert np.all(weight[found] > 0)
    # A correct draw inverts the cumulative distribution: off by rounding at most.
    exact = np.cumsum(weight.astype(np.float64)) / weight.astype(np.float64).sum()
    assert np.all(exact[found] >= np.asarray(points) - 1e-6)
    assert np.all(exact[found] - np.asarray(probability)[found] <= np.asarray(points) + 1e-6)
