"""Collecting experience: what is written down must be what was seen, done and got."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_arena.types import Box, Discrete
from ppo import rollout
from ppo.policy import Policy
from ppo.rollout import RowStep, RowView
from ppo.settings import PPOSettings

T, R, O = 6, 4, 2  # noqa: E741
SETTINGS = PPOSettings(horizon=T, actor_hidden=(8,), critic_hidden=(8,))


class Clock:
    """Rows see (clock, row) and get the clock as reward. Each step reports the actions it was given.

    Row 0 is not alive at 5, row 1 is decided at 1, row 2 runs out of time at 2 and 4, and row 3 breaks at 3.
    """

    def __init__(self, discrete):
        self.discrete = discrete

    def view(self, carry):
        observation = jnp.stack([jnp.full(R, carry, jnp.float32), jnp.arange(R, dtype=jnp.float32)], 1)
        alive = jnp.ones(R, bool).at[0].set(carry != 5)
        mask = jnp.arange(3) != (carry + jnp.arange(R)[:, None]) % 3  # another choice is illegal in every row and step
        return RowView(observation, alive, mask if self.discrete else None)

    def step(self, carry, action, key):
        truncated = jnp.zeros(R, bool).at[2].set((carry == 2) | (carry == 4)).at[3].set(carry == 3)
        result = RowStep(
            reward=jnp.full(R, carry, jnp.float32),
            terminated=jnp.zeros(R, bool).at[1].set(carry == 1),
            truncated=truncated,
            final_observation=jnp.full((R, O), -1.0 - carry),
            valid=jnp.ones(R, bool).at[3].set(carry != 3),
        )
        return carry + 1, result, {"action": action, "noise": jax.random.normal(key)}


@pytest.fixture(scope="module", params=[False, True], ids=["box", "discrete"])
def collected(request):
    policy = Policy(O, Discrete(3) if request.param else Box(2), SETTINGS)
    state = policy.init(jax.random.key(0))
    collect = jax.jit(lambda key: rollout.collect(Clock(request.param), policy, state, jnp.int32(0), key, T))
    return policy, state, *collect(jax.random.key(1))


def test_every_step_is_written_down_in_order(collected):
    _, _, carry, t, statistics = collected
    assert carry == T
    np.testing.assert_array_equal(t.observation[:, :, 0], np.tile(np.arange(T)[:, None], (1, R)))
    np.testing.assert_array_equal(t.reward, t.observation[:, :, 0])
    np.testing.assert_array_equal(t.action, statistics["action"])
    assert np.argwhere(np.asarray(t.terminated)).tolist() == [[1, 1]]
    assert np.argwhere(np.asarray(t.truncated)).tolist() == [[2, 2], [3, 3], [4, 2]]
    assert len(np.unique(statistics["noise"])) == T  # every step has its own key


def test_log_probabilities_and_values_are_those_of_the_acting_policy(collected):
    policy, state, _, t, _ = collected
    distribution, value = policy.apply(state, t.observation, t.action_mask)
    np.testing.assert_allclose(t.log_prob, distribution.log_prob(t.action), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(t.value, value, rtol=1e-4, atol=1e-5)
    last = policy.value(state, Clock(False).view(T).observation)
    np.testing.assert_allclose(t.last_value, last, rtol=1e-4, atol=1e-5)


def test_a_time_limit_is_valued_at_its_final_observation(collected):
    policy, state, _, t, _ = collected
    for step, row in [(2, 2), (4, 2)]:
        expected = policy.value(state, jnp.full(O, -1.0 - step))
        assert float(t.final_value[step, row]) == pytest.approx(float(expected), rel=1e-4, abs=1e-5)


def test_a_broken_step_is_valued_as_if_nothing_had_followed_or_changed(collected):
    _, _, _, t, _ = collected
    assert t.final_value[3, 3] == t.value[3, 3]


def test_steps_that_teach_nothing_have_no_weight(collected):
    _, _, _, t, _ = collected
    assert np.argwhere(np.asarray(t.weight) == 0).tolist() == [[3, 3], [5, 0]]
    assert np.unique(t.weight).tolist() == [0, 1]


def test_masks_are_kept_and_obeyed(collected):
    policy, _, _, t, _ = collected
    if isinstance(policy.action, Box):
        assert t.action_mask is None
        return
    assert t.action_mask.shape == (T, R, 3)
    assert np.take_along_axis(np.asarray(t.action_mask), np.asarray(t.action)[..., None], 2).all()
