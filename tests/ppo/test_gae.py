"""Advantages by hand, and against the definitions that GAE joins."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ppo.gae import generalized_advantage

T, R = 6, 2
gae = jax.jit(generalized_advantage)

numbers = st.floats(-5, 5, width=32)
rollouts = st.fixed_dictionaries(
    {
        "reward": npst.arrays(np.float32, (T, R), elements=numbers),
        "value": npst.arrays(np.float32, (T, R), elements=numbers),
        "last_value": npst.arrays(np.float32, R, elements=numbers),
        "terminated": npst.arrays(bool, (T, R)),
        "truncated": npst.arrays(bool, (T, R)),
        "final_value": npst.arrays(np.float32, (T, R), elements=numbers),
    }
)


def exclusive(rollout):
    """A match is decided or runs out of time, not both."""
    return rollout | {"truncated": rollout["truncated"] & ~rollout["terminated"]}


def next_values(rollout):
    """What each step is worth beyond its reward, in float64."""
    following = np.concatenate([rollout["value"][1:], rollout["last_value"][None]]).astype(np.float64)
    following = np.where(rollout["truncated"], rollout["final_value"], following)
    return np.where(rollout["terminated"], 0, following)


def test_termination_and_truncation_by_hand():
    # gamma = lambda = 1/2, so gamma * lambda = 1/4. Both rows end at step 1: the first decided, the second out of time
    # in a state worth 10. Backwards, with V = 1, 2, 3, 4 and the observation after the last step worth 8:
    #   step 3:  4 + 8/2 - 4 = 4                       A = 4
    #   step 2:  3 + 4/2 - 3 = 2                       A = 2 + 4/4 = 3
    #   step 1:  6 + 0   - 2 = 4    6 + 10/2 - 2 = 9   A = 4 and 9: step 2 belongs to the next match
    #   step 0:  1 + 2/2 - 1 = 1                       A = 1 + 4/4 = 2 and 1 + 9/4 = 3.25
    def both(column):
        return jnp.tile(jnp.asarray(column)[:, None], (1, 2))

    end = jnp.array([False, True, False, False])
    advantage, target = generalized_advantage(
        reward=both([1.0, 6.0, 3.0, 4.0]),
        value=both([1.0, 2.0, 3.0, 4.0]),
        last_value=jnp.array([8.0, 8.0]),
        terminated=jnp.stack([end, ~end & False], 1),
        truncated=jnp.stack([~end & False, end], 1),
        final_value=both([99.0, 10.0, 99.0, 99.0]),
        gamma=0.5,
        gae_lambda=0.5,
    )
    np.testing.assert_array_equal(advantage, [[2, 3.25], [4, 9], [3, 3], [4, 4]])
    np.testing.assert_array_equal(target, [[3, 4.25], [6, 11], [6, 6], [8, 8]])


@settings(deadline=None)
@given(rollouts.map(exclusive), st.floats(0, 1))
def test_lambda_one_gives_discounted_returns(rollout, gamma):
    _, target = gae(**rollout, gamma=gamma, gae_lambda=1.0)
    following, ended = next_values(rollout), rollout["terminated"] | rollout["truncated"]
    expected = np.zeros((T, R))
    for t in reversed(range(T)):
        ahead = following[t] if t == T - 1 else np.where(ended[t], following[t], expected[t + 1])
        expected[t] = rollout["reward"][t] + gamma * ahead
    np.testing.assert_allclose(target, expected, atol=1e-4)


@settings(deadline=None)
@given(rollouts.map(exclusive), st.floats(0, 1))
def test_lambda_zero_gives_the_one_step_error(rollout, gamma):
    advantage, target = gae(**rollout, gamma=gamma, gae_lambda=0.0)
    expected = rollout["reward"] + gamma * next_values(rollout)
    np.testing.assert_allclose(target, expected, atol=1e-5)
    np.testing.assert_allclose(advantage, expected - rollout["value"], atol=1e-5)


@settings(deadline=None)
@given(rollouts.map(exclusive), st.floats(0, 1), st.floats(0, 1))
def test_any_lambda_gives_the_weighted_sum_of_errors_within_a_match(rollout, gamma, gae_lambda):
    advantage, _ = gae(**rollout, gamma=gamma, gae_lambda=gae_lambda)
    delta = rollout["reward"] + gamma * next_values(rollout) - rollout["value"]
    ended = rollout["terminated"] | rollout["truncated"]
    for row in range(R):
        for t in range(T):
            total, weight = 0.0, 1.0
            for k in range(t, T):
                total, weight = total + weight * delta[k, row], weight * gamma * gae_lambda
                if ended[k, row]:
                    break
            np.testing.assert_allclose(advantage[t, row], total, atol=1e-4)


@settings(deadline=None)
@given(rollouts.map(exclusive), rollouts.map(exclusive), st.integers(0, T - 2), st.booleans())
def test_nothing_leaks_across_the_end_of_a_match(rollout, other, end, decided):
    def ending_at(source):
        ended = {"terminated": decided, "truncated": not decided}
        return {
            name: np.concatenate([rollout[name][: end + 1], source[name][end + 1 :]]) if leaf.ndim > 1 else source[name]
            for name, leaf in rollout.items()
        } | {name: _with(rollout, source, name, end, flag) for name, flag in ended.items()}

    one, _ = gae(**ending_at(rollout), gamma=0.99, gae_lambda=0.95)
    two, _ = gae(**ending_at(other), gamma=0.99, gae_lambda=0.95)
    np.testing.assert_array_equal(one[: end + 1], two[: end + 1])


def _with(rollout, source, name, end, flag):
    flags = np.concatenate([rollout[name][: end + 1], source[name][end + 1 :]])
    flags[end] = flag
    return flags


@settings(deadline=None)
@given(rollouts.map(exclusive), npst.arrays(np.float32, (T, R), elements=numbers))
def test_the_final_value_is_read_only_at_a_time_limit(rollout, other):
    changed = rollout | {"final_value": np.where(rollout["truncated"], rollout["final_value"], other)}
    for one, two in zip(
        gae(**rollout, gamma=0.9, gae_lambda=0.9), gae(**changed, gamma=0.9, gae_lambda=0.9), strict=True
    ):
        np.testing.assert_array_equal(one, two)
