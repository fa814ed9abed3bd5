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
from league.settings import PFSP_WEIGHTS, LeagueSettings, MixSettings
from ppo import normalizer
from ppo.policy import PolicyState

K = 6
draw = jax.jit(matchmaking.draw)


POLICY = PolicyState(params={"w": jnp.zeros(2)}, normalizer=normalizer.init(1))


def pool_of(members, slots=K):
    room = LeagueSettings(player_pool_length=slots, keep_untrained=False)
    filled = pool.create(POLICY, room)
    for iteration in range(1, members):
        filled = pool.add(filled, POLICY, jnp.int32(iteration), room, role=0)
    return filled


def with_win_rates(filled, rates):
    """The pool after 1000 games with each member, of which the learner won those shares."""
    wins = jnp.round(1000 * jnp.array(rates))
    decayed = jnp.stack([wins, jnp.zeros_like(wins), 1000 - wins], 1)
    return with_record(filled, results=filled.record(0).results.replace(decayed=decayed))


def with_record(filled, **changes):
    """The pool with such values in the only learner's record."""
    record = filled.record(0).replace(**changes)
    return filled.replace(records=jax.tree.map(lambda x: x[None], record))


def probability_of(name, filled, settings):
    return matchmaking.MATCHMAKERS[name](filled, filled.record(0), settings)


def test_settings_and_matchmakers_name_the_same():
    assert set(NAMES) == set(matchmaking.MATCHMAKERS) and set(PFSP_WEIGHTS) == set(matchmaking.PFSP_WEIGHTS)
    assert set(vars(MixSettings())) == set(NAMES) - {"mix"}


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
    setting = LeagueSettings(mix=MixSettings(latest=0.5, uniform=1.5))
    np.testing.assert_allclose(probability_of("latest", filled, setting), latest)
    np.testing.assert_allclose(probability_of("uniform", filled, setting), uniform, rtol=1e-6)
    mixed = 0.25 * np.array(latest) + 0.75 * np.array(uniform)
    np.testing.assert_allclose(probability_of("mix", filled, setting), mixed, rtol=1e-6)


@pytest.mark.parametrize("weight", PFSP_WEIGHTS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("slots", [2, 3, 5])
def test_probabilities_sum_to_one_and_spare_the_empty_and_the_retiring(name, slots, weight):
    shares = MixSettings(latest=0.1, uniform=0.2, delta_uniform=0.3, pfsp=0.2, openai_five=0.2)
    setting = LeagueSettings(player_pool_length=slots, pfsp_weight=weight, mix=shares)
    filled = pool_of(1, slots)
    for iteration in range(1, 2 * slots + 2):
        probability = np.asarray(probability_of(name, filled, setting))
        assert float(probability.sum()) == pytest.approx(1, abs=1e-6)
        assert np.all(probability >= 0) and probability[filled.next] == 0
        assert np.all(probability[~np.asarray(filled.occupied)] == 0)
        rates = jax.random.uniform(jax.random.key(iteration), (slots,))
        filled = pool.add(with_win_rates(filled, rates), POLICY, jnp.int32(iteration), setting, role=0)


# Worked out independently: facts of mini-AlphaStar's payoff, see also `league.matchmaking.pfsp`.
RATES = [0.9, 0.7, 0.5, 0.2]
PFSP_ORACLE = {
    "hard": [0.010101, 0.090909, 0.252525, 0.646465],
    "var": [0.126761, 0.295775, 0.352113, 0.225352],
    "linear": [0.1 / 1.7, 0.3 / 1.7, 0.5 / 1.7, 0.8 / 1.7],
    "capped": [0.1 / 1.4, 0.3 / 1.4, 0.5 / 1.4, 0.5 / 1.4],
}


@pytest.mark.parametrize("weight", PFSP_WEIGHTS)
def test_pfsp_by_the_oracle(weight):
    filled = with_win_rates(pool_of(4, 5), [*RATES, 0])
    found = probability_of("pfsp", filled, LeagueSettings(pfsp_weight=weight))
    np.testing.assert_allclose(found, [*PFSP_ORACLE[weight], 0], atol=1e-6)


@pytest.mark.parametrize("weight", PFSP_WEIGHTS)
def test_pfsp_draws_all_alike_once_all_are_beaten(weight):
    filled = with_win_rates(pool_of(4, 5), [1.0] * 5)
    np.testing.assert_allclose(
        probability_of("pfsp", filled, LeagueSettings(pfsp_weight=weight)), [0.25] * 4 + [0], rtol=1e-6
    )


def test_a_member_that_nobody_has_met_counts_as_an_even_match():
    filled = with_win_rates(pool_of(3, 4), [0.5, 0.9, 0.0, 0.0])
    results = filled.record(0).results
    filled = with_record(filled, results=results.replace(decayed=results.decayed.at[2].set(0)))
    found = probability_of("pfsp", filled, LeagueSettings(pfsp_weight="linear"))
    np.testing.assert_allclose(found, np.array([0.5, 0.1, 0.5, 0]) / 1.1, rtol=1e-5)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [(0.0, [0.25] * 4), (0.5, [0, 1 / 3, 1 / 3, 1 / 3]), (0.7, [0, 0, 0.5, 0.5]), (1.0, [0, 0, 0, 1])],
)
def test_delta_uniform_draws_from_the_later_part_of_history(delta, expected):
    found = probability_of("delta_uniform", pool_of(4, 5), LeagueSettings(delta=delta))
    np.testing.assert_allclose(found, [*expected, 0], rtol=1e-6)


def test_openai_five_by_hand():
    filled = with_record(pool_of(3, 4), quality=jnp.array([np.log(1.0), np.log(3.0), np.log(4.0), 5.0]))
    found = probability_of("openai_five", filled, LeagueSettings())
    np.testing.assert_allclose(found, [0.2 / 8, 0.6 / 8, 0.8 + 0.8 / 8, 0], rtol=1e-5)


@pytest.mark.parametrize("probability", [[0.5, 0, 0.3, 0.2, 0, 0], [0, 0.1, 0.1, 0.1, 0.1, 0.6], [1 / 6] * 6])
def test_frequencies_follow_the_probabilities(probability):
    slots = np.asarray(draw(jnp.array(probability), jax.random.uniform(jax.random.key(0), (200, 100))))
    assert slots.shape == (200, 100) and slots.dtype == np.int32
    counts, expected = np.bincount(slots.ravel(), minlength=K), 20_000 * np.array(probability)
    assert counts[expected == 0].sum() == 0
    assert scipy.stats.chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-3


@settings(deadline=None)
@given(npst.arrays(np.float32, K, elements=st.one_of(st.just(0.0), st.floats(2**-20, 1, width=32))), st.integers(0, 99))
def test_slots_of_probability_zero_are_never_drawn(weight, seed):
    assume(weight.sum() > 0)
    probability = weight / weight.sum()
    slots = np.asarray(draw(jnp.asarray(probability), jax.random.uniform(jax.random.key(seed), (500,))))
    assert np.all(probability[slots] > 0)


@pytest.mark.parametrize("slots", [7, 32, 600])
def test_no_point_of_the_unit_interval_falls_to_a_slot_of_probability_zero(slots):
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
    found = np.asarray(matchmaking.draw(probability, points))
    assert np.all(weight[found] > 0)
    # A correct draw inverts the cumulative distribution: off by rounding at most.
    exact = np.cumsum(weight.astype(np.float64)) / weight.astype(np.float64).sum()
    assert np.all(exact[found] >= np.asarray(points) - 1e-6)
    assert np.all(exact[found] - np.asarray(probability)[found] <= np.asarray(points) + 1e-6)
