"""A whole PPO update: what it learns, and what it refuses to learn from."""

import dataclasses
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats
from updates import BASE, WHOLE, O, R, T, largest_change, learner_of, trajectory_of

from mjx_arena.types import Box
from ppo import rollout
from ppo.gae import generalized_advantage
from ppo.loss import Samples
from ppo.policy import Policy
from ppo.rollout import RowStep, RowView
from ppo.update import Learner, shuffled


@cache
def two_shards():
    settings = dataclasses.replace(BASE, **WHOLE)
    learner = Learner(Policy(O, Box(1), settings), settings, "shard")
    update = jax.vmap(learner.update, (None, 0, 0, None), axis_name="shard")
    return jax.jit(update)


def halved(trajectory):
    """Half of the rows for each of two shards, in a new first axis."""

    def split(x):  # rows are the first axis of last_value and the second one elsewhere
        axis = 0 if x.ndim == 1 else 1
        return jnp.stack(jnp.split(x, 2, axis))

    return jax.tree.map(split, trajectory)


def assert_bits(one, two):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_close(one, two, **tolerance):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


class Bandit:
    """Matches of one step: the row sees -1 or 1 and is paid for an action close to half of it."""

    def view(self, carry):
        return RowView(carry[:, None], jnp.ones(R, bool), None)

    def step(self, carry, action, key):
        reward = -jnp.square(action[:, 0] - 0.5 * carry)
        carry = jax.random.rademacher(key, (R,)).astype(jnp.float32)
        ended = jnp.ones(R, bool)
        return carry, RowStep(reward, ended, ~ended, carry[:, None], ended), {}


def test_a_bandit_is_learned_in_a_few_iterations():
    settings = dataclasses.replace(BASE, horizon=16, initial_log_std=-1.0, learning_rate_schedule="adaptive")
    learner = Learner(Policy(1, Box(1), settings), settings)

    @jax.jit
    def iterate(state, carry, key):
        k_play, k_learn = jax.random.split(key)
        carry, trajectory, _ = rollout.collect(Bandit(), learner.policy, state.policy, carry, k_play, settings.horizon)
        state, metrics = learner.update(state, trajectory, k_learn, jnp.float32(0))
        return state, carry, trajectory.reward.mean(), metrics

    state, carry = learner.init(jax.random.key(0)), jnp.ones(R)
    rewards = []
    for key in jax.random.split(jax.random.key(1), 40):
        state, carry, reward, metrics = iterate(state, carry, key)
        rewards.append(float(reward))
        assert metrics["skipped_updates"] == 0
    # To begin with the mean action is about 0, so a step costs 0.5^2 + exp(-1)^2 = 0.39 on average.
    assert rewards[0] == pytest.approx(-0.39, abs=0.1)
    assert np.mean(rewards[-3:]) > -0.15
    best = learner.policy.distribution(state.policy, jnp.array([[-1.0], [1.0]])).mode()[:, 0]
    np.testing.assert_allclose(best, [-0.5, 0.5], atol=0.2)


def test_normalizer_takes_the_trajectory_in_afterwards():
    learner, update = learner_of()
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    after, _ = update(state, trajectory, jax.random.key(1), 0.0)
    kept = np.asarray(trajectory.observation, np.float64)[np.asarray(trajectory.weight) > 0]
    assert int(after.policy.normalizer.count_low) == len(kept) == T * (R - 2)
    np.testing.assert_allclose(after.policy.normalizer.mean, kept.mean(0), rtol=1e-5)
    np.testing.assert_allclose(after.policy.normalizer.variance, kept.var(0), rtol=1e-5)


def test_advantages_are_normalized_over_what_has_weight():
    learner, _ = learner_of()
    state = learner.init(jax.random.key(0))
    t = trajectory_of(learner, state)
    samples, plain = learner._samples(t)
    advantage, target = generalized_advantage(
        t.reward, t.value, t.last_value, t.terminated, t.truncated, t.final_value, BASE.gamma, BASE.gae_lambda
    )
    assert isinstance(samples, Samples) and samples.observation.shape == (T * R, O)
    np.testing.assert_allclose(samples.target, np.asarray(target).reshape(-1), rtol=1e-6)
    np.testing.assert_allclose(plain, advantage, rtol=1e-6)
    kept = np.asarray(samples.weight) > 0
    expected = np.asarray(advantage, np.float64).reshape(-1)
    expected = (expected - expected[kept].mean()) / expected[kept].std()
    np.testing.assert_allclose(samples.advantage, expected, rtol=1e-4, atol=1e-5)


def test_explained_variance_by_hand():
    learner, _ = learner_of()
    ones = jnp.ones(4)
    zeros = jnp.zeros((4, 0))
    # Of the targets 0, 2, 4 (variance 8/3) the values miss 0, 0, 3 (variance 2): 1 - 2 / (8/3) = 1/4. The fourth has
    # no weight.
    target, value = jnp.array([0.0, 2.0, 4.0, 99.0]), jnp.array([0.0, 2.0, 1.0, -99.0])
    samples = Samples(zeros, None, zeros, ones, value, ones, target, jnp.array([1.0, 1.0, 1.0, 0.0]))
    assert float(learner._explained_variance(samples)) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("field", "junk"),
    [("reward", np.nan), ("reward", np.inf), ("value", np.nan), ("log_prob", np.nan), ("observation", np.nan)],
)
def test_numbers_that_are_not_finite_leave_the_policy_as_it_was(field, junk):
    learner, update = learner_of(**WHOLE)
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    spoiled = trajectory.replace(**{field: getattr(trajectory, field).at[1, 1].set(junk)})
    after, metrics = update(state, spoiled, jax.random.key(1), 0.0)
    assert metrics["updates"] == 3 and metrics["skipped_updates"] == 3
    assert_bits(after.policy.params, state.policy.params)
    assert_bits((after.optimizer, after.learning_rate), (state.optimizer, state.learning_rate))
    for name in ("loss/total", "loss/policy", "kl", "entropy"):
        assert metrics[name] == 0
    # What was seen still counts for the normaliser, unless it is what was not finite.
    assert int(after.policy.normalizer.count_low) == (0 if field == "observation" else T * (R - 2))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(after.policy.normalizer))


def test_a_gradient_whose_norm_overflows_is_skipped_too():
    # Loss and gradient are about 1e20, and finite; the sum of the gradient's squares is not.
    learner, update = learner_of(**WHOLE, value_coefficient=1e20)
    state = learner.init(jax.random.key(0))
    after, metrics = update(state, trajectory_of(learner, state), jax.random.key(1), 0.0)
    assert metrics["updates"] == 3 and metrics["skipped_updates"] == 3
    assert_bits((after.policy.params, after.optimizer), (state.policy.params, state.optimizer))


def test_only_the_minibatches_that_hold_a_broken_number_are_skipped():
    # With plain advantages a bad reward in step 0 spoils its own advantage alone: one of four minibatches per epoch.
    learner, update = learner_of(normalize_advantage=False)
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    spoiled = trajectory.replace(reward=trajectory.reward.at[0, 1].set(jnp.nan))
    after, metrics = update(state, spoiled, jax.random.key(1), 0.0)
    assert metrics["updates"] == 8 and metrics["skipped_updates"] == 2
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(after))
    assert largest_change(after.policy.params, state.policy.params) > 1e-3
    assert np.isfinite(metrics["loss/total"]) and metrics["loss/total"] != 0


def test_rows_without_weight_teach_nothing():
    learner, update = learner_of()
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    left_out = trajectory.weight == 0
    other = trajectory.replace(
        reward=jnp.where(left_out, 50.0, trajectory.reward),
        observation=jnp.where(left_out[..., None], -9.0, trajectory.observation),
        log_prob=jnp.where(left_out, 7.0, trajectory.log_prob),
    )
    one, _ = update(state, trajectory, jax.random.key(1), 0.0)
    two, _ = update(state, other, jax.random.key(1), 0.0)
    assert_bits(one, two)


def test_stop_kl_ends_the_updates_of_an_iteration():
    # The first minibatch has the ratios 1 and passes; the second, after a step of 0.01 in every weight, does not.
    learner, update = learner_of(stop_kl=1e-6)
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    stopped, metrics = update(state, trajectory, jax.random.key(1), 0.0)
    through, _ = learner_of()[1](state, trajectory, jax.random.key(1), 0.0)
    assert metrics["updates"] == 8 and metrics["skipped_updates"] == 0
    assert metrics["kl"] < 1e-6  # means are over what was applied
    assert stopped.optimizer[1].count == 1 and through.optimizer[1].count == 8
    assert largest_change(stopped.policy.params, state.policy.params) == pytest.approx(1e-2, rel=0.02)
    assert largest_change(through.policy.params, state.policy.params) > 2e-2


def test_two_shards_learn_what_one_device_learns():
    learner, update = learner_of(**WHOLE)
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)  # each half has one row of weight 0, so both weigh the same
    whole, whole_metrics = update(state, trajectory, jax.random.key(1), 0.0)

    keys = jax.random.split(jax.random.key(2), 2)
    both, metrics = two_shards()(state, halved(trajectory), keys, 0.0)
    for leaf in jax.tree.leaves((both, metrics)):
        np.testing.assert_array_equal(leaf[0], leaf[1])  # replicas never drift apart
    assert largest_change(whole.policy.params, state.policy.params) > 1e-3
    assert_close(jax.tree.map(lambda x: x[0], both), whole, rtol=1e-3, atol=2e-5)
    for name, value in whole_metrics.items():
        np.testing.assert_allclose(metrics[name][0], value, rtol=1e-3, atol=1e-5)


def test_a_size_of_minibatches_counts_the_samples_of_all_shards():
    learner, _ = learner_of(**WHOLE)
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    settings = dataclasses.replace(BASE, minibatch_size=T * R // 2)
    for shards in (1, 2):
        learner = Learner(Policy(O, Box(1), settings), settings, "shard")
        parts = halved(trajectory) if shards == 2 else jax.tree.map(lambda x: x[None], trajectory)
        update = jax.jit(jax.vmap(learner.update, (None, 0, 0, None), axis_name="shard"))
        _, metrics = update(state, parts, jax.random.split(jax.random.key(1), shards), 0.0)
        assert metrics["updates"].tolist() == [2 * settings.epochs] * shards


def test_a_shard_that_is_not_finite_stops_all_of_them():
    learner, _ = learner_of(**WHOLE)
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    halves = halved(trajectory)
    spoiled = halves.replace(log_prob=halves.log_prob.at[1, 0, 0].set(jnp.nan))
    after, metrics = two_shards()(state, spoiled, jax.random.split(jax.random.key(2), 2), 0.0)
    for shard in range(2):
        assert_bits([leaf[shard] for leaf in jax.tree.leaves(after.policy.params)], state.policy.params)
        assert metrics["skipped_updates"][shard] == metrics["updates"][shard] == 3


def test_samples_that_do_not_divide_into_minibatches_are_refused():
    learner, _ = learner_of(num_minibatches=5)
    state = learner.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"32 samples .* 5 minibatches"):
        learner.update(state, trajectory_of(learner, state), jax.random.key(1), jnp.float32(0))


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**31 - 1))
@hypothesis_settings(max_examples=30, deadline=None)
def test_shuffling_keeps_every_number_once(size, seed):
    order = np.asarray(shuffled(jax.random.key(seed), size))
    np.testing.assert_array_equal(np.sort(order), np.arange(size))


def test_every_number_comes_to_every_place_alike():
    order = np.asarray(jax.vmap(lambda key: shuffled(key, 8))(jax.random.split(jax.random.key(0), 8000)))
    counts = np.stack([np.bincount(place, minlength=8) for place in order.T])
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3


def test_neighbours_share_a_minibatch_no_more_often_than_others():
    order = np.asarray(jax.vmap(lambda key: shuffled(key, 4096))(jax.random.split(jax.random.key(1), 200)))
    minibatch = np.argsort(order, axis=1) // 1024
    together = (minibatch[:, ::2] == minibatch[:, 1::2]).mean()
    expected = 1023 / 4095
    assert abs(together - expected) < 4 * np.sqrt(expected * (1 - expected) / (200 * 2048))


@pytest.mark.parametrize("stacked", [False, True])
def test_muon_makes_the_steps_of_matrices_orthogonal_and_adam_those_of_the_rest(stacked):
    settings = {"epochs": 1, "num_minibatches": 1, "learning_rate": 1e-3, "optimizer": "muon"}
    learner, _ = learner_of(**settings)
    keys = jax.random.split(jax.random.key(0), 2)
    states = jax.vmap(learner.init)(keys)  # as a league stacks its learners
    state = jax.tree.map(lambda x: x[0], states) if stacked else learner.init(keys[0])
    after, _ = jax.jit(learner.update)(state, trajectory_of(learner, state), jax.random.key(1), 0.0)
    moved = jax.tree.map(lambda new, old: (new - old) / 1e-3, after.policy.params, state.policy.params)
    kernel = np.asarray(moved["actor"]["params"]["Dense_0"]["kernel"])  # [2, 8]
    scale = 0.2 * np.sqrt(max(kernel.shape))  # root mean square of 0.2 in each entry of a large square matrix
    values = np.linalg.svd(kernel, compute_uv=False)
    assert ((0.6 * scale < values) & (values < 1.3 * scale)).all()
    assert np.abs(moved["log_std"]).max() == pytest.approx(1, rel=0.6)  # Nesterov's first step of Adam is longer
