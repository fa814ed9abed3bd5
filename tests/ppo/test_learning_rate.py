"""How the step size of an update moves: adaptive, linear, and settling at the end of a run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from updates import largest_change, learner_of, trajectory_of

from ppo.settings import PPOSettings
from ppo.update import adapt_learning_rate, kl_share


@pytest.mark.parametrize(
    ("rate", "kl", "expected"),
    [
        (1e-3, 0.0144, 1e-3 / 1.2),  # 1.44 times the target of 0.01, so steps of 1 / 1.2 of the length would meet it
        (1e-3, 0.01 / 1.44, 1.2e-3),
        (1e-3, 0.01, 1e-3),
        (1e-3, 1.0, 1e-3 / 1.5),  # by no more than 1.5
        (1e-3, 0.0, 1.5e-3),
        (1.2e-5, 1.0, 1e-5),  # 0.8e-5 is under the lower bound
        (8e-3, 0.0, 1e-2),  # 1.2e-2 is over the upper one
    ],
)
def test_adaptive_learning_rate_by_hand(rate, kl, expected):
    found = adapt_learning_rate(jnp.float32(rate), jnp.float32(kl), jnp.float32(0.01), PPOSettings())
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("epochs", "factor"), [(1, 1.0), (2, 1.5), (3, 1.5)])
def test_the_adaptive_rate_moves_once_an_iteration_if_that_tells_anything(epochs, factor):
    # With one minibatch in each of them, the first epoch has a KL of 0. Steps this short leave it far below its target.
    settings = {"epochs": epochs, "num_minibatches": 1, "learning_rate": 1e-4, "learning_rate_schedule": "adaptive"}
    learner, update = learner_of(**settings)
    state = learner.init(jax.random.key(0))
    _, metrics = update(state, trajectory_of(learner, state), jax.random.key(1), 0.0)
    assert float(metrics["learning_rate"]) == pytest.approx(1e-4 * factor)


def test_the_adaptive_rate_finds_steps_that_meet_the_target():
    learner, update = learner_of(learning_rate=1e-5, learning_rate_schedule="adaptive", target_kl=1e-3)
    state, found = learner.init(jax.random.key(0)), []
    for key in jax.random.split(jax.random.key(1), 60):
        state, metrics = update(state, trajectory_of(learner, state, len(found)), key, 0.0)
        found.append((float(metrics["learning_rate"]), float(metrics["kl"])))
    rates, kls = np.array(found[30:]).T
    assert 1e-3 < np.median(rates) < 9e-3  # it began at 1e-5, the lower bound, and is not at the upper one
    assert 2e-4 < np.median(kls) < 1e-3  # the mean of both epochs; that of the last meets 1e-3


def test_a_step_is_as_long_as_the_rate():
    learner, update = learner_of(epochs=1, num_minibatches=1, learning_rate=1e-3, learning_rate_schedule="adaptive")
    state = learner.init(jax.random.key(0))
    after, metrics = update(state, trajectory_of(learner, state), jax.random.key(1), 0.0)
    assert metrics["kl"] < 1e-7  # the normaliser is frozen while ratios are formed
    assert float(metrics["learning_rate"]) == float(after.learning_rate) == pytest.approx(1e-3)
    # Adam's first direction is g / (|g| + 1e-5) in every coordinate: no parameter moves further than the rate.
    assert largest_change(after.policy.params, state.policy.params) == pytest.approx(1e-3, rel=0.02)


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
    # Steps this short leave a KL below any target but 0.
    settings = {"epochs": 3, "num_minibatches": 1, "learning_rate": 1e-4, "learning_rate_schedule": "adaptive"}
    learner, update = learner_of(**settings, target_kl_decay=0.5)
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    before, end = (
        float(update(state, trajectory, jax.random.key(1), jnp.float32(p))[1]["learning_rate"]) for p in (0.5, 1)
    )
    assert before == pytest.approx(1e-4 * 1.5) and end < 1e-4
