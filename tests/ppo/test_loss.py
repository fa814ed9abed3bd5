"""The objective by hand, on both sides of its clips, and what samples of weight 0 must not do."""

import dataclasses
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mjx_arena.types import Box, Discrete
from ppo.loss import Samples, approximate_kl, ppo_loss, surrogate_loss, value_loss, weighted_mean
from ppo.policy import Policy
from ppo.settings import PPOSettings

B, O, N = 12, 3, 2  # noqa: E741
SETTINGS = PPOSettings(actor_hidden=(8,), critic_hidden=(8,))


@cache
def policy_of(action, **changes):
    policy = Policy(O, action, dataclasses.replace(SETTINGS, **changes))
    return policy, policy.init(jax.random.key(0))


def samples_of(policy, state, seed=0, drift=0.0):
    """Samples of `policy` whose `log_prob` is off by up to `drift`, with any advantages and targets."""
    rng = np.random.default_rng(seed)
    observation = jnp.asarray(rng.normal(size=(B, O)), jnp.float32)
    mask = None
    if isinstance(policy.action, Discrete):
        mask = jnp.asarray(rng.random((B, policy.action.size)) < 0.6).at[:, 1].set(True)
    distribution, value = policy.apply(state, observation, mask)
    action = distribution.sample(jax.random.key(seed))
    noise = jnp.asarray(rng.uniform(-drift, drift, B), jnp.float32)
    return Samples(
        observation=observation,
        action_mask=mask,
        action=action,
        log_prob=distribution.log_prob(action) + noise,
        value=value + noise,
        advantage=jnp.asarray(rng.normal(size=B), jnp.float32),
        target=jnp.asarray(rng.normal(size=B), jnp.float32),
        weight=jnp.ones(B),
    )


_gradient = jax.jit(jax.value_and_grad(ppo_loss, has_aux=True), static_argnums=(2, 4))


def loss_and_gradient(policy, state, samples):
    return _gradient(state.params, state, policy, samples, policy.settings)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (1.1, 2.0, -2.2, -2.0),  # inside the clip: -ratio * A
        (0.9, 2.0, -1.8, -2.0),
        (1.1, -2.0, 2.2, 2.0),
        (0.9, -2.0, 1.8, 2.0),
        (1.5, 2.0, -2.4, 0.0),  # good and already likelier: min(3, 1.2 * 2), no reason to go on
        (0.5, 2.0, -1.0, -2.0),  # good and less likely: min(1, 0.8 * 2), back
        (1.5, -2.0, 3.0, 2.0),  # bad and likelier: min(-3, -2.4), back
        (0.5, -2.0, 1.6, 0.0),  # bad and already less likely: min(-1, -1.6), no reason to go on
    ],
)
def test_surrogate_by_hand_on_both_sides_of_the_clip(ratio, advantage, loss, slope):
    found, gradient = jax.value_and_grad(surrogate_loss)(jnp.float32(ratio), jnp.float32(advantage), 0.2)
    np.testing.assert_allclose(found, loss, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "target", "old_value", "epsilon", "loss"),
    [
        (3.0, 1.0, 2.5, None, 2.0),  # (3 - 1)^2 / 2
        (3.0, 1.0, 2.5, 0.2, 2.0),  # clipped to 2.7: 1.7^2 = 2.89 < 4, the larger counts
        (1.0, 1.0, 2.0, None, 0.0),
        (1.0, 1.0, 2.0, 0.2, 0.32),  # clipped to 1.8: 0.8^2 / 2, though the value itself is right
        (2.5, 1.0, 2.0, 0.2, 1.125),  # clipped to 2.2: 1.2^2 = 1.44 < 1.5^2 = 2.25
        (2.1, 1.0, 2.0, 0.2, 0.605),  # inside the clip: 1.1^2 / 2
    ],
)
def test_value_loss_by_hand_plain_and_clipped(value, target, old_value, epsilon, loss):
    found = value_loss(jnp.float32(value), jnp.float32(target), jnp.float32(old_value), epsilon)
    np.testing.assert_allclose(found, loss, rtol=1e-5, atol=1e-7)


def test_weighted_mean_by_hand():
    x = jnp.array([1.0, 2.0, jnp.nan, 6.0])
    assert weighted_mean(x, jnp.array([1.0, 1.0, 0.0, 1.0])) == 3
    assert weighted_mean(x, jnp.zeros(4)) == 0


@settings(deadline=None, max_examples=300)
@given(st.floats(-80, 80, width=32))
def test_kl_estimate_is_never_negative(log_ratio):
    assert approximate_kl(jnp.float32(log_ratio)) >= 0


@settings(deadline=None)
@given(*[npst.arrays(np.float32, 4, elements=st.floats(-4, 4, width=32))] * 2)
def test_expected_kl_estimate_is_the_kl(old, new):
    old, new = (scipy.special.log_softmax(x.astype(np.float64)) for x in (old, new))
    estimate = np.asarray(approximate_kl(jnp.asarray(new - old, jnp.float32)), np.float64)
    np.testing.assert_allclose((np.exp(old) * estimate).sum(), scipy.stats.entropy(np.exp(old), np.exp(new)), atol=1e-5)


@pytest.mark.parametrize("action", [Box(N), Discrete(4)])
def test_gradient_at_ratio_one_is_the_policy_gradient(action):
    policy, state = policy_of(action, value_coefficient=0.0, entropy_coefficient=0.0)
    samples = samples_of(policy, state)
    (_, report), gradient = loss_and_gradient(policy, state, samples)

    def reinforce(params):
        distribution = policy.distribution(state.replace(params=params), samples.observation, samples.action_mask)
        return -jnp.mean(distribution.log_prob(samples.action) * samples.advantage)

    expected = jax.grad(reinforce)(state.params)
    assert max(float(jnp.abs(x).max()) for x in jax.tree.leaves(expected)) > 0.01
    for one, two in zip(jax.tree.leaves(gradient), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(report["kl"], 0, atol=1e-7)
    assert report["clip_fraction"] == 0


@pytest.mark.parametrize("clip_value_loss", [False, True])
def test_loss_is_the_weighted_sum_of_its_parts(clip_value_loss):
    policy, state = policy_of(Box(N), value_coefficient=0.7, entropy_coefficient=0.3, clip_value_loss=clip_value_loss)
    samples = samples_of(policy, state, drift=0.5)
    (loss, report), _ = loss_and_gradient(policy, state, samples)
    distribution, value = policy.apply(state, samples.observation)
    oracle = scipy.stats.norm(np.float64(distribution.mean), np.exp(np.float64(distribution.log_std)))
    log_ratio = oracle.logpdf(samples.action).sum(-1) - np.float64(samples.log_prob)
    ratio, advantage = np.exp(log_ratio), np.float64(samples.advantage)
    policy_part = -np.minimum(ratio * advantage, np.clip(ratio, 0.8, 1.2) * advantage).mean()
    error = (np.float64(value) - np.float64(samples.target)) ** 2
    if clip_value_loss:
        clipped = samples.value + np.clip(value - samples.value, -0.2, 0.2)
        error = np.maximum(error, (clipped - samples.target) ** 2)
    entropy = oracle.entropy().sum(-1).mean()
    outside = (np.abs(ratio - 1) > 0.2).mean()
    assert 0 < outside < 1
    np.testing.assert_allclose(report["loss/policy"], policy_part, rtol=1e-4)
    np.testing.assert_allclose(report["loss/value"], 0.5 * error.mean(), rtol=1e-4)
    np.testing.assert_allclose(report["entropy"], entropy, rtol=1e-5)
    np.testing.assert_allclose(report["kl"], (ratio - 1 - log_ratio).mean(), rtol=1e-3)
    np.testing.assert_allclose(report["clip_fraction"], outside, rtol=1e-6)
    np.testing.assert_allclose(loss, policy_part + 0.7 * 0.5 * error.mean() - 0.3 * entropy, rtol=1e-4)


@pytest.mark.parametrize("action", [Box(N), Discrete(4)])
@pytest.mark.parametrize("junk", [1e3, np.nan, np.inf, -np.inf])
def test_samples_of_weight_zero_change_nothing(action, junk):
    policy, state = policy_of(action)
    samples = samples_of(policy, state, drift=0.3)
    kept = np.arange(B) % 3 > 0
    subset = jax.tree.map(lambda x: x[kept], samples)

    def spoil(x):
        spoiled = jnp.where(kept.reshape(B, *[1] * (x.ndim - 1)), x, junk)
        return spoiled if jnp.issubdtype(x.dtype, jnp.floating) else x

    spoiled = jax.tree.map(spoil, samples).replace(weight=jnp.asarray(kept, jnp.float32))
    (loss, report), gradient = loss_and_gradient(policy, state, spoiled)
    (expected_loss, expected_report), expected = loss_and_gradient(policy, state, subset)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    for name in expected_report:
        np.testing.assert_allclose(report[name], expected_report[name], rtol=1e-4, atol=1e-6)
    for one, two in zip(jax.tree.leaves(gradient), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_a_minibatch_without_weight_gives_no_gradient():
    policy, state = policy_of(Box(N))
    samples = samples_of(policy, state).replace(weight=jnp.zeros(B))
    (loss, report), gradient = loss_and_gradient(policy, state, samples)
    assert loss == 0 and report["ratio_min"] == np.inf and report["ratio_max"] == -np.inf
    assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves(gradient))


def test_an_exploded_ratio_of_weight_zero_gives_no_nan():
    # exp(200) overflows float32, and 0 * inf would be NaN.
    policy, state = policy_of(Box(N))
    samples = samples_of(policy, state)
    samples = samples.replace(log_prob=samples.log_prob.at[0].add(-200), weight=samples.weight.at[0].set(0))
    (loss, _), gradient = loss_and_gradient(policy, state, samples)
    assert np.isfinite(loss) and all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_means_beyond_the_range_of_controls_are_called_back():
    policy, state = policy_of(Box(N), bound_coefficient=0.01)
    layers = state.params["actor"]["params"]
    bias = layers["Dense_1"]["bias"]
    far = {**layers, "Dense_1": {**layers["Dense_1"], "bias": bias + jnp.array([3.0, 0.0])}}
    state = state.replace(params={**state.params, "actor": {"params": far}})
    samples = samples_of(policy, state).replace(advantage=jnp.zeros(B))
    (_, report), gradient = loss_and_gradient(policy, state, samples)
    assert report["loss/bound"] == pytest.approx(4, rel=0.05)
    pull = gradient["actor"]["params"]["Dense_1"]["bias"]
    np.testing.assert_allclose(pull, [0.01 * 2 * 2, 0], atol=2e-3)
