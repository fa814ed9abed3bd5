"""Running statistics against numpy in float64, at sizes where float32 counters and sums stop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppo import normalizer
from ppo.normalizer import RunningStatistics

B, O = 32, 3  # noqa: E741
update = jax.jit(normalizer.update, static_argnames="axis_name")


def exact_count(statistics):
    return int(statistics.count_high) * 2**24 + int(statistics.count_low)


def batches_of(seed, number, offset=0.0, scale=1.0, kept=0.7):
    rng = np.random.default_rng(seed)
    samples = (offset + scale * rng.normal(size=(number, B, O))).astype(np.float32)
    return samples, (rng.random((number, B)) < kept).astype(np.float32)


def after(batches, weights):
    statistics = normalizer.init(O)
    for samples, weight in zip(batches, weights, strict=True):
        statistics = update(statistics, samples, weight)
    return statistics


def at_count(count, mean, variance):
    """Statistics as they are after `count` samples of this mean and variance."""
    zeros = jnp.zeros(O)
    return RunningStatistics(
        jnp.uint32(count >> 24), jnp.uint32(count & (2**24 - 1)), zeros + mean, zeros, zeros + variance, zeros
    )


def test_two_samples_by_hand():
    # Of 1, 3 and 100 the last is left out: mean 2, population variance ((1-2)^2 + (3-2)^2) / 2 = 1.
    samples = jnp.array([[1.0], [3.0], [100.0]])
    statistics = normalizer.update(normalizer.init(1), samples, jnp.array([1.0, 1.0, 0.0]))
    assert exact_count(statistics) == 2
    assert statistics.mean[0] == 2 and statistics.variance[0] == 1


def test_several_weighted_batches_equal_numpy():
    batches, weights = batches_of(0, 7, offset=np.array([0.0, 5.0, -40.0]), scale=np.array([1.0, 0.3, 7.0]))
    statistics = after(batches, weights)
    kept = batches[weights > 0].astype(np.float64)
    assert exact_count(statistics) == len(kept)
    np.testing.assert_allclose(statistics.mean, kept.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(statistics.variance, kept.var(0), rtol=1e-5)


def test_a_batch_of_weight_zero_changes_nothing():
    batches, weights = batches_of(1, 2)
    before = after(batches, weights)
    then = update(before, 1e3 * batches[0], jnp.zeros(B))
    for one, two in zip(jax.tree.leaves(before), jax.tree.leaves(then), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("junk", [np.nan, np.inf, 1e38])
def test_samples_left_out_may_hold_anything(junk):
    batches, weights = batches_of(2, 3)
    spoiled = np.where(weights[..., None] > 0, batches, np.float32(junk))
    clean = after(batches, weights)
    for one, two in zip(jax.tree.leaves(clean), jax.tree.leaves(after(spoiled, weights)), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("start", [2**24 - 5, 10**9 + 7, 5 * 10**12 + 1])
def test_count_is_exact_beyond_what_float32_can_count(start):
    batches, weights = batches_of(3, 5)
    statistics = at_count(start, 0, 1)
    for samples, weight in zip(batches, weights, strict=True):
        statistics = update(statistics, samples, weight)
    assert exact_count(statistics) == start + int(weights.sum())
    assert float(normalizer.count(statistics)) == pytest.approx(exact_count(statistics), rel=1e-6)


def test_mean_and_variance_keep_moving_after_a_billion_samples():
    # One batch of 32 moves the mean 1 by 32/1e9 * 0.5 = 1.6e-8, a quarter of float32's half unit in the last place
    # there: a plain float32 sum would stay at 1 for ever. 40000 batches are 1.28e6 samples.
    start, number = 10**9, 40_000
    rng = np.random.default_rng(4)
    samples = (1.5 + 0.5 * rng.normal(size=(B, O))).astype(np.float32)

    @jax.jit
    def many(statistics):
        return jax.lax.scan(lambda s, _: (normalizer.update(s, samples, jnp.ones(B)), None), statistics, length=number)[
            0
        ]

    statistics = many(at_count(start, 1.0, 4.0))
    batch = samples.astype(np.float64)
    added = number * B
    share = added / (start + added)
    mean = 1.0 + share * (batch.mean(0) - 1.0)
    variance = 4.0 + share * (batch.var(0) - 4.0 + (1 - share) * (batch.mean(0) - 1.0) ** 2)
    assert exact_count(statistics) == start + added
    assert np.all(mean - 1 > 4e-4) and np.all(variance < 3.996)  # what is to be followed is far above the tolerance
    np.testing.assert_allclose(statistics.mean, mean, atol=1e-6)
    np.testing.assert_allclose(statistics.variance, variance, atol=4e-6)


def test_shards_merge_to_the_whole():
    batches, weights = batches_of(5, 4, offset=3.0)
    whole = after(batches, weights)
    sharded = normalizer.init(O)
    merge = jax.jit(jax.vmap(lambda s, x, w: normalizer.update(s, x, w, "shard"), (None, 0, 0), axis_name="shard"))
    for samples, weight in zip(batches, weights, strict=True):
        halves = merge(sharded, samples.reshape(2, B // 2, O), weight.reshape(2, B // 2))
        for leaf in jax.tree.leaves(halves):
            np.testing.assert_array_equal(leaf[0], leaf[1])  # every device holds the same
        sharded = jax.tree.map(lambda x: x[0], halves)
    assert exact_count(sharded) == exact_count(whole)
    np.testing.assert_allclose(sharded.mean, whole.mean, rtol=1e-6)
    np.testing.assert_allclose(sharded.variance, whole.variance, rtol=1e-5)


@settings(deadline=None, max_examples=40)
@given(
    order=st.permutations(range(5)),
    seed=st.integers(0, 1000),
    offset=st.floats(-50, 50),
    scale=st.floats(0.1, 50),
)
def test_order_of_batches_does_not_matter(order, seed, offset, scale):
    batches, weights = batches_of(seed, 5, offset, scale)
    one, two = after(batches, weights), after(batches[order], weights[order])
    assert exact_count(one) == exact_count(two)
    np.testing.assert_allclose(one.mean, two.mean, atol=3e-6 * (abs(offset) + scale))
    np.testing.assert_allclose(one.variance, two.variance, atol=1e-5 * scale * (abs(offset) + scale))


def test_normalizing_by_hand():
    # (5 - 3) / sqrt(4) = 1; (103 - 3) / 2 = 50 and (-97 - 3) / 2 = -50 are clipped to 10.
    statistics = at_count(100, 3.0, 4.0)
    normalized = normalizer.normalize(statistics, jnp.array([[5.0, 103.0, -97.0]]))
    np.testing.assert_allclose(normalized, [[1, 10, -10]], rtol=1e-6)


def test_normalizing_changes_nothing_before_the_first_sample():
    observation = jnp.array([0.5, -2.0, 9.0])
    np.testing.assert_allclose(normalizer.normalize(normalizer.init(O), observation), observation, rtol=1e-6)


def test_an_observation_that_never_varies_stays_finite():
    statistics = update(normalizer.init(O), jnp.full((B, O), 7.0), jnp.ones(B))
    np.testing.assert_allclose(statistics.variance, 0, atol=1e-6)
    normalized = normalizer.normalize(statistics, jnp.array([7.0, 8.0, -1e30]))
    np.testing.assert_allclose(normalized, [0, 10, -10], atol=1e-3)
