"""Learning from samples as they look in a mirror."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from updates import BASE, O, R, T, learner_of, trajectory_of

from mjx_arena.symmetry import Reflection, Symmetry
from mjx_arena.types import Box, Discrete
from ppo.loss import Samples
from ppo.policy import Policy
from ppo.update import Learner

SYMMETRY = Symmetry(Reflection((1, 0), (1.0, 1.0)), Reflection((0,), (-1.0,)), lambda state: state, (0,))
CHOICES = SYMMETRY._replace(action=Reflection((0, 2, 1), (1.0, 1.0, 1.0)))
BOX = Box(1)
SIDE = jnp.array([False, True, True])


def learner_with(reflected, action=BOX, **changes):
    settings = dataclasses.replace(BASE, **changes)
    return Learner(Policy(O, action, settings), settings, symmetry=reflected)


def samples(action, mask=None):
    observation = jnp.arange(6.0).reshape(3, 2)
    each = jnp.arange(3.0)
    return Samples(observation, mask, action, each, each, each, each, jnp.ones(3))


def test_images_replace_the_samples_that_are_drawn():
    found = learner_with(SYMMETRY)._reflected(SYMMETRY, samples(jnp.array([[1.0], [2.0], [3.0]])), SIDE)
    assert found.observation.tolist() == [[0, 1], [3, 2], [5, 4]]
    assert found.action.tolist() == [[1], [-2], [-3]]
    for name in ("log_prob", "value", "advantage", "target", "weight"):
        np.testing.assert_array_equal(getattr(found, name), getattr(samples(jnp.zeros((3, 1))), name))
    assert found.reflected is SIDE


def test_images_of_choices_are_other_choices():
    mask = jnp.array([[True, True, False]] * 3)
    found = learner_with(CHOICES, Discrete(3))._reflected(CHOICES, samples(jnp.array([1, 1, 0]), mask), SIDE)
    assert found.action.tolist() == [1, 2, 0]
    assert found.action_mask.tolist() == [[True, True, False], [True, False, True], [True, False, True]]


def test_without_a_mirror_or_with_the_setting_off_nothing_changes():
    plain, update = learner_of()
    state = plain.init(jax.random.key(0))
    trajectory, key = trajectory_of(plain, state), jax.random.key(1)
    expected = update(state, trajectory, key, jnp.float32(0))[0]
    for other in (learner_with(None), learner_with(SYMMETRY, symmetry=False)):
        found = jax.jit(other.update)(state, trajectory, key, jnp.float32(0))[0]
        for one, two in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
            np.testing.assert_array_equal(one, two)


def test_the_divergence_is_that_of_samples_that_the_policy_acted_on():
    """Before the first step it is 0, though the policy is not its own image."""
    uneven = learner_with(SYMMETRY, epochs=1, num_minibatches=1)
    state = uneven.init(jax.random.key(0))
    actor = jax.tree.map(lambda x: 3 * x, state.policy.params["actor"])
    state = state.replace(policy=state.policy.replace(params=state.policy.params | {"actor": actor}))
    trajectory = trajectory_of(uneven, state)
    _, metrics = jax.jit(uneven.update)(state, trajectory, jax.random.key(1), jnp.float32(0))
    assert abs(metrics["kl"]) < 1e-6
    assert metrics["ratio_max"] > 1.01 or metrics["ratio_min"] < 0.99


def test_what_is_learned_on_one_side_holds_on_the_other():
    """All that happens lies on one side: with a mirror the policy comes to do the image of it on the other side."""
    even = learner_with(SYMMETRY, epochs=8, num_minibatches=1, learning_rate=3e-3)
    update = jax.jit(even.update)
    state = even.init(jax.random.key(0))
    left, right = jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]])
    for index in range(60):
        k_noise, k_update = jax.random.split(jax.random.key(index))
        observation = jnp.broadcast_to(left, (T, R, O))
        distribution, value = even.policy.apply(state.policy, observation)
        action = distribution.sample(k_noise)
        ends = jnp.ones((T, R), bool)
        trajectory = trajectory_of(even, state).replace(
            observation=observation,
            action=action,
            log_prob=distribution.log_prob(action),
            value=value,
            reward=-jnp.square(action[..., 0] - 0.5),
            terminated=ends,
            truncated=~ends,
            weight=jnp.ones((T, R)),
        )
        state, _ = update(state, trajectory, k_update, jnp.float32(0))
    chosen, image = (float(even.policy.distribution(state.policy, x).mode()[0, 0]) for x in (left, right))
    assert chosen == pytest.approx(0.5, abs=0.2)
    assert image == pytest.approx(-0.5, abs=0.2)
