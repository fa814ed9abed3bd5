"""The action distributions against scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from ppo.distributions import Categorical, DiagonalGaussian

RNG = np.random.default_rng(0)
MEAN = RNG.normal(size=(4, 3)).astype(np.float32)
LOG_STD = RNG.uniform(-2, 1, size=(4, 3)).astype(np.float32)
LOGITS = (3 * RNG.normal(size=(4, 5))).astype(np.float32)
MASK = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 1, 1, 0, 0]], bool)


def gaussian():
    return DiagonalGaussian(jnp.asarray(MEAN), jnp.asarray(LOG_STD))


def test_gaussian_log_prob_and_entropy_equal_scipy():
    action = RNG.normal(size=(4, 3)).astype(np.float32)
    oracle = scipy.stats.norm(MEAN.astype(np.float64), np.exp(LOG_STD.astype(np.float64)))
    np.testing.assert_allclose(gaussian().log_prob(jnp.asarray(action)), oracle.logpdf(action).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(gaussian().entropy(), oracle.entropy().sum(-1), rtol=1e-5)


def test_gaussian_samples_follow_its_density():
    samples = jax.vmap(gaussian().sample)(jax.random.split(jax.random.key(0), 4000))
    z = (np.asarray(samples) - MEAN) / np.exp(LOG_STD)
    for row in range(4):
        for column in range(3):
            assert scipy.stats.kstest(z[:, row, column], "norm").pvalue > 1e-3
    correlation = np.corrcoef(z.reshape(4000, -1).T) - np.eye(12)
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)  # independent of each other


def test_gaussian_mode_is_the_most_likely_action():
    best = gaussian().log_prob(gaussian().mode())
    np.testing.assert_allclose(best, (-LOG_STD - 0.5 * np.log(2 * np.pi)).sum(-1), rtol=1e-5)
    assert np.all(gaussian().log_prob(gaussian().mode() + 0.1) < best)


def test_categorical_log_prob_and_entropy_equal_scipy():
    distribution = Categorical.masked(jnp.asarray(LOGITS), None)
    log_p = scipy.special.log_softmax(LOGITS.astype(np.float64), -1)
    for choice in range(5):
        np.testing.assert_allclose(distribution.log_prob(jnp.full(4, choice)), log_p[:, choice], rtol=1e-5)
    np.testing.assert_allclose(distribution.entropy(), scipy.stats.entropy(np.exp(log_p), axis=-1), rtol=1e-5)
    np.testing.assert_array_equal(distribution.mode(), LOGITS.argmax(-1))


def test_masked_categorical_is_the_distribution_over_legal_choices():
    distribution = Categorical.masked(jnp.asarray(LOGITS), jnp.asarray(MASK))
    for row in range(4):
        legal = np.flatnonzero(MASK[row])
        log_p = scipy.special.log_softmax(LOGITS[row, legal].astype(np.float64))
        for index, choice in enumerate(legal):
            found = distribution.log_prob(jnp.full(4, choice))[row]
            np.testing.assert_allclose(found, log_p[index], rtol=1e-5, atol=1e-6)
        entropy = scipy.stats.entropy(np.exp(log_p))
        np.testing.assert_allclose(distribution.entropy()[row], entropy, rtol=1e-5, atol=1e-6)
        assert distribution.mode()[row] == legal[LOGITS[row, legal].argmax()]


def test_masked_categorical_never_samples_an_illegal_choice():
    logits = np.where(MASK, LOGITS, 50).astype(np.float32)  # unmasked, the illegal choices would be all but certain
    distribution = Categorical.masked(jnp.asarray(logits), jnp.asarray(MASK))
    samples = np.asarray(jax.vmap(distribution.sample)(jax.random.split(jax.random.key(1), 20_000)))
    for row in range(4):
        counts = np.bincount(samples[:, row], minlength=5)
        assert counts[~MASK[row]].sum() == 0
        legal = np.flatnonzero(MASK[row])
        expected = 20_000 * scipy.special.softmax(LOGITS[row, legal].astype(np.float64))
        assert len(legal) == 1 or scipy.stats.chisquare(counts[legal], expected).pvalue > 1e-3


def test_masked_categorical_is_finite_in_value_and_gradient():
    def total(logits, action):
        distribution = Categorical.masked(logits, jnp.asarray(MASK))
        return jnp.sum(distribution.log_prob(action) + distribution.entropy())

    legal, illegal = MASK.argmax(-1), np.array([2, 0, 0, 0])
    for action in (legal, illegal):  # a row that is left out of learning may hold an illegal one
        value, gradient = jax.value_and_grad(total)(jnp.asarray(LOGITS), jnp.asarray(action))
        assert np.isfinite(value) and np.all(np.isfinite(gradient))
        assert np.all(np.asarray(gradient)[~MASK] == 0)
    assert np.all(np.isfinite(Categorical.masked(jnp.asarray(LOGITS), jnp.zeros((4, 5), bool)).entropy()))


def test_controls_that_are_padding_count_for_nothing():
    whole = DiagonalGaussian(jnp.array([0.1, 0.2]), jnp.array([-1.0, -0.5]))
    padded = DiagonalGaussian(jnp.array([0.1, 0.2, 9.0]), jnp.array([-1.0, -0.5, 3.0]), jnp.array([True, True, False]))
    action = jnp.array([0.3, -0.4, 7.0])
    assert float(padded.log_prob(action)) == pytest.approx(float(whole.log_prob(action[:2])))
    assert float(padded.entropy()) == pytest.approx(float(whole.entropy()))


def test_excess_by_hand():
    mean = jnp.array([[1.5, -3.0, 0.3], [1.0, -1.0, 0.0]])
    plain = DiagonalGaussian(mean, jnp.zeros((2, 3)))
    np.testing.assert_allclose(plain.excess(), [0.25 + 4, 0])
    masked = plain.replace(mask=jnp.array([[True, False, True], [True, True, True]]))
    np.testing.assert_allclose(masked.excess(), [0.25, 0])
    assert Categorical(jnp.array([[5.0, -5.0]])).excess().tolist() == [0]
