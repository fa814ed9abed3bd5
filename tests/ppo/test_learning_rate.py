"""How the step size of an update moves: adaptive, linear, and settling at the end of a run."""

import jax
import jax.numpy as jnp
import pytest
from updates import largest_change, learner_of, trajectory_of

from ppo.settings import PPOSettings
from ppo.update import adapt_learning_rate, kl_share


@pytest.mark.parametrize(
    ("rate", "kl", "expected"),
    [
        (1e-3, 0.021, 1e-3 / 1.5),  # above twice the target of 0.01
        (1e-3, 0.0199, 1e-3),
        (1e-3, 0.0051, 1e-3),
        (1e-3, 0.0049, 1.5e-3),  # below half of it
        (1e-3, 0.0, 1.5e-3),
        (1.2e-5, 1.0, 1e-5),  # 0.8e-5 is under the lower bound
        (8e-3, 0.0, 1e-2),  # 1.2e-2 is over the upper one
    ],
)
def test_adaptive_learning_rate_by_hand(rate, kl, expected):
    found = adapt_learning_rate(jnp.float32(rate), jnp.float32(kl), jnp.float32(0.01), PPOSettings())
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_the_adaptive_rate_moves_with_every_minibatch():
    # One minibatch: its ratios are 1, its KL is 0, so the rate rises once by 1.5 and the step is taken with it.
    learner, update = learner_of(epochs=1, num_minibatches=1, learning_rate=1e-3, learning_rate_schedule="adaptive")
    state = learner.init(jax.random.key(0))
    after, metrics = update(state, trajectory_of(learner, state), jax.random.key(1), 0.0)
    assert metrics["kl"] < 1e-7  # the normaliser is frozen while ratios are formed
    assert float(metrics["learning_rate"]) == float(after.learning_rate) == pytest.approx(1.5e-3)
    # Adam's first direction is g / (|g| + 1e-5) in every coordinate: no parameter moves further than the rate.
    assert largest_change(after.policy.params, state.policy.params) == pytest.approx(1.5e-3, rel=0.02)


@pytest.mark.parametrize(("progress", "share"), [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0)])
def test_the_linear_rate_falls_to_zero_at_the_end(progress, share):
    learner, update = learner_of(epochs=1, num_minibatches=1, learning_rate=4e-3, learning_rate_schedule="linear")
    state = learner.init(jax.random.key(0))
    after, metrics = update(state, trajectory_of(learner, state), jax.random.key(1), jnp.float32(progress))
    assert float(metrics["learning_rate"]) == pytest.approx(4e-3 * share)
    assert largest_change(after.policy.params, state.policy.params) == pytest.approx(4e-3 * share, rel=0.02)


def test_the_linear_rate_falls_from_the_rate_of_a_phase():
    learner, _ = learner_of(epochs=1, num_minibatches=1, learning_rate=4e-3, learning_rate_schedule="linear")
    state = learner.init(jax.random.key(0))
    update = jax.jit(learner.update)
    arguments = (trajectory_of(learner, state), jax.random.key(1), jnp.float32(0.25), jnp.float32(2e-3))
    assert float(update(state, *arguments)[1]["learning_rate"]) == pytest.approx(1.5e-3)


@pytest.mark.parametrize(
    ("progress", "decay", "share"),
    [(0.99, 0.0, 1.0), (0.5, 0.4, 1.0), (0.6, 0.4, 1.0), (0.8, 0.4, 0.25), (1.0, 0.4, 0.0)],
)
def test_the_target_kl_falls_over_the_last_share_of_the_run(progress, decay, share):
    assert float(kl_share(jnp.float32(progress), decay)) == pytest.approx(share, abs=1e-6)


def test_a_target_kl_that_has_fallen_holds_the_adaptive_rate_back():
    # Steps this short leave a KL below any target but 0: before the decay the rate rises with each of the three.
    settings = {"epochs": 3, "num_minibatches": 1, "learning_rate": 1e-4, "learning_rate_schedule": "adaptive"}
    learner, update = learner_of(**settings, target_kl_decay=0.5)
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    before, end = (
        float(update(state, trajectory, jax.random.key(1), jnp.float32(p))[1]["learning_rate"]) for p in (0.5, 1)
    )
    assert before == pytest.approx(1e-4 * 1.5**3) and end < 1e-4
