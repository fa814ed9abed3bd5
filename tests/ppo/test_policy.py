"""A policy is its parameters and its normaliser, whole and stackable."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_arena.types import Box, Discrete
from ppo import normalizer
from ppo.distributions import Categorical, DiagonalGaussian
from ppo.policy import Policy
from ppo.settings import ACTIVATIONS, PPOSettings

O = 3  # noqa: E741
SETTINGS = PPOSettings(actor_hidden=(8,), critic_hidden=(4, 4), initial_log_std=-0.5)
OBSERVATION = jnp.asarray(np.random.default_rng(0).normal(size=(5, O)), jnp.float32)


def policy_of(action, **changes):
    return Policy(O, action, dataclasses.replace(SETTINGS, **changes))


def test_what_a_box_and_a_discrete_policy_return():
    policy = policy_of(Box(2))
    distribution, value = policy.apply(policy.init(jax.random.key(0)), OBSERVATION)
    assert isinstance(distribution, DiagonalGaussian)
    assert distribution.mean.shape == distribution.log_std.shape == (5, 2) and value.shape == (5,)
    np.testing.assert_array_equal(distribution.log_std, -0.5)

    policy = policy_of(Discrete(4))
    state = policy.init(jax.random.key(0))
    mask = jnp.ones((5, 4), bool).at[:, 2].set(False)
    distribution, value = policy.apply(state, OBSERVATION, mask)
    assert isinstance(distribution, Categorical) and distribution.logits.shape == (5, 4) and value.shape == (5,)
    assert "log_std" not in state.params
    np.testing.assert_array_equal(distribution.logits[:, 2], -1e9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_fresh_policy_has_hardly_an_opinion(activation):
    policy = policy_of(Discrete(4), activation=activation)
    distribution = policy.distribution(policy.init(jax.random.key(3)), OBSERVATION)
    np.testing.assert_allclose(distribution.entropy(), np.log(4), atol=1e-3)


def test_actor_and_critic_by_hand():
    # One layer each: tanh is never reached, so both are affine in the normalised observation.
    policy = policy_of(Box(1), actor_hidden=(), critic_hidden=())
    state = policy.init(jax.random.key(0))
    layer = {"Dense_0": {"kernel": jnp.array([[1.0], [2.0], [0.0]]), "bias": jnp.array([0.5])}}
    state = state.replace(params={**state.params, "actor": {"params": layer}, "critic": {"params": layer}})
    statistics = state.normalizer.replace(mean=jnp.array([1.0, 0.0, 0.0]), variance=jnp.array([4.0, 1.0, 1.0]))
    state = state.replace(normalizer=statistics)
    # (5 - 1) / 2 * 1 + 3 * 2 + 0.5 = 8.5
    distribution, value = policy.apply(state, jnp.array([5.0, 3.0, 100.0]))
    assert float(distribution.mean[0]) == pytest.approx(8.5) and float(value) == pytest.approx(8.5)


def test_the_normalizer_is_part_of_the_policy():
    policy = policy_of(Box(2))
    state = policy.init(jax.random.key(0))
    moved = state.replace(normalizer=normalizer.update(state.normalizer, 5 + 3 * OBSERVATION, jnp.ones(5)))
    raw = moved.normalizer.mean + jnp.sqrt(moved.normalizer.variance) * OBSERVATION
    for one, two in zip(policy.apply(state, OBSERVATION), policy.apply(moved, raw), strict=True):
        assert_leaves_close(one, two)


@pytest.mark.parametrize(("log_std", "expected"), [(-9.0, -1.6), (0.1, 0.1), (9.0, 0.5)])
def test_log_std_stays_within_its_bounds(log_std, expected):
    policy = policy_of(Box(2), min_log_std=-1.6, max_log_std=0.5)
    state = policy.init(jax.random.key(0))
    state = state.replace(params={**state.params, "log_std": jnp.full(2, log_std)})
    np.testing.assert_allclose(policy.distribution(state, OBSERVATION).log_std, expected)


def test_stacked_policies_act_as_they_do_alone():
    policy = policy_of(Box(2))
    members = [policy.init(key) for key in jax.random.split(jax.random.key(1), 3)]
    members[1] = members[1].replace(normalizer=normalizer.update(members[1].normalizer, OBSERVATION, jnp.ones(5)))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    together = jax.vmap(policy.apply, (0, None))(stacked, OBSERVATION)
    for index, member in enumerate(members):
        assert_leaves_close(jax.tree.map(lambda x: x[index], together), policy.apply(member, OBSERVATION))  # noqa: B023


def assert_leaves_close(one, two):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("choice", [0, 3])
def test_a_constant_policy_takes_one_choice_whatever_it_sees(choice):
    policy = policy_of(Discrete(5))
    state = policy.constant(np.array(choice, np.int32))
    seen = jax.random.normal(jax.random.key(0), (64, 3)) * 10
    actions = policy.distribution(state, seen).sample(jax.random.key(1))
    assert (np.asarray(actions) == choice).all()


def test_a_constant_policy_holds_its_controls():
    policy = policy_of(Box(2), min_log_std=-4.0)
    state = policy.constant(np.array([0.5, -0.25], np.float32))
    distribution = policy.distribution(state, jax.random.normal(jax.random.key(0), (8, 3)))
    np.testing.assert_allclose(distribution.mean, np.tile([0.5, -0.25], (8, 1)))
    np.testing.assert_allclose(distribution.log_std, np.full((8, 2), -4.0))
