"""What an update tells about itself, in numbers worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from updates import BASE, WHOLE, O, R, T, learner_of, trajectory_of

from mjx_arena.types import Discrete
from ppo.gae import generalized_advantage
from ppo.loss import ppo_loss
from ppo.policy import Policy
from ppo.update import Learner


@pytest.fixture(scope="module")
def updated():
    """One step on one minibatch, of a trajectory in which one row was half as probable when it acted."""
    learner, update = learner_of(**WHOLE | {"epochs": 1, "max_grad_norm": 0.5})
    state = learner.init(jax.random.key(0))
    trajectory = trajectory_of(learner, state)
    halved = trajectory.replace(
        log_prob=trajectory.log_prob.at[1, 2].add(-jnp.log(2.0)).at[0, 3].add(50.0),  # row 3 has no weight
        action=trajectory.action.at[2, 3].set(9.0),
    )
    return learner, state, halved, update(state, halved, jax.random.key(1), 0.0)


def test_ratios_are_the_extremes_over_what_has_weight(updated):
    _, _, _, (_, metrics) = updated
    assert float(metrics["ratio_max"]) == pytest.approx(2, rel=1e-5)
    assert float(metrics["ratio_min"]) == pytest.approx(1, rel=1e-5)


def test_advantages_are_those_before_they_are_normalised(updated):
    _, _, t, (_, metrics) = updated
    advantage, _ = generalized_advantage(
        t.reward, t.value, t.last_value, t.terminated, t.truncated, t.final_value, BASE.gamma, BASE.gae_lambda
    )
    kept = np.asarray(advantage)[np.asarray(t.weight) > 0]
    assert metrics["advantage_min"] == pytest.approx(kept.min(), rel=1e-5)
    assert metrics["advantage_max"] == pytest.approx(kept.max(), rel=1e-5)
    assert abs(kept.mean()) > 0.01  # which normalised ones would not have


def test_the_norm_is_that_of_the_gradient_before_it_is_clipped(updated):
    learner, state, trajectory, (_, metrics) = updated

    @jax.jit
    def gradient_of(params):
        samples, _ = learner._samples(trajectory)
        return jax.grad(lambda p: ppo_loss(p, state.policy, learner.policy, samples, learner.settings)[0])(params)

    gradient = gradient_of(state.policy.params)
    norm = np.sqrt(sum(np.square(np.asarray(leaf, np.float64)).sum() for leaf in jax.tree.leaves(gradient)))
    assert metrics["gradient_norm"] == pytest.approx(norm, rel=1e-4)
    assert norm > learner.settings.max_grad_norm


def test_the_deviation_is_that_of_the_policy_within_its_bounds(updated):
    learner, _, _, (after, metrics) = updated
    log_std = float(after.policy.params["log_std"][0])
    assert metrics["log_std"] == pytest.approx(log_std) and metrics["action_std"] == pytest.approx(np.exp(log_std))
    low = after.policy.replace(params=after.policy.params | {"log_std": jnp.array([-9.0])})
    assert learner.policy.log_std(low).tolist() == pytest.approx([learner.settings.min_log_std])


def test_saturated_controls_are_counted_where_there_is_weight_and_the_seat_has_them():
    learner, _ = learner_of()
    t = trajectory_of(learner, learner.init(jax.random.key(0)))
    # 2 controls; of T R = 32 rows 8 have no weight. Of the others 3 have saturated ones, one of which is padding.
    action = jnp.zeros((T, R, 2)).at[0, 0].set([1.0, 0.5]).at[1, 0].set([-1.5, 3.0]).at[2, 3].set([7.0, 7.0])
    t = t.replace(action=action)
    assert float(learner._counts(t)["saturated_actions"]) == 3 / 48
    mask = jnp.ones((T, R, 2), bool).at[1, 0, 1].set(False)
    assert float(learner._counts(t.replace(action_mask=mask))["saturated_actions"]) == pytest.approx(2 / 47)


def test_a_choice_has_no_deviation_and_no_saturation():
    learner = Learner(Policy(O, Discrete(3), BASE), BASE)
    shape = jax.eval_shape(learner.init, jax.random.key(0))
    spec = jax.ShapeDtypeStruct
    t = jax.eval_shape(trajectory_of(*_box()).replace, action=spec((T, R), jnp.int32))
    _, metrics = jax.eval_shape(learner.update, shape, t, jax.random.key(0), spec((), jnp.float32))
    assert not {"log_std", "action_std", "saturated_actions"} & set(metrics)


def _box():
    learner, _ = learner_of()
    return learner, learner.init(jax.random.key(0))


def test_what_is_not_finite_is_counted_by_name():
    # With plain advantages a bad number in step 0 spoils its own sample alone: one of four minibatches per epoch.
    learner, update = learner_of(normalize_advantage=False)
    state = learner.init(jax.random.key(0))
    t = trajectory_of(learner, state)
    sound = update(state, t, jax.random.key(1), 0.0)[1]
    assert not any(value for name, value in sound.items() if name.startswith("nonfinite/"))
    spoiled = t.replace(log_prob=t.log_prob.at[0, 1].set(jnp.nan), value=t.value.at[2, 3].set(jnp.inf))
    metrics = update(state, spoiled, jax.random.key(1), 0.0)[1]
    counts = {name.removeprefix("nonfinite/"): int(v) for name, v in metrics.items() if name.startswith("nonfinite/")}
    assert counts == {"log_prob": 1, "value": 1, "loss": 2, "gradient": 2} and metrics["skipped_updates"] == 2
