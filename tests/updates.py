"""A small learner, and trajectories for it to learn from."""

import dataclasses
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.types import Box
from ppo.policy import Policy
from ppo.rollout import Trajectory
from ppo.settings import PPOSettings
from ppo.update import Learner

T, R, O = 4, 8, 2  # noqa: E741
BASE = PPOSettings(
    horizon=T,
    epochs=2,
    num_minibatches=4,
    actor_hidden=(8,),
    critic_hidden=(8,),
    optimizer="adam",
    learning_rate=1e-2,
    learning_rate_schedule="fixed",
)


# One minibatch: every sample is in it whatever the order, and before the first step all ratios are 1.
WHOLE = {"epochs": 3, "num_minibatches": 1, "learning_rate_schedule": "adaptive", "learning_rate": 1e-3}


@cache
def learner_of(**changes):
    settings = dataclasses.replace(BASE, **changes)
    learner = Learner(Policy(O, Box(1), settings), settings)
    return learner, jax.jit(learner.update)


def trajectory_of(learner, state, seed=0):
    """T steps of R rows under the learner's policy, some of which end matches and some of which carry no weight."""
    rng = np.random.default_rng(seed)
    observation = jnp.asarray(1 + 2 * rng.normal(size=(T, R, O)), jnp.float32)
    distribution, value = learner.policy.apply(state.policy, observation)
    action = distribution.sample(jax.random.key(seed))
    terminated = rng.random((T, R)) < 0.2
    return Trajectory(
        observation=observation,
        action_mask=None,
        action=action,
        log_prob=distribution.log_prob(action),
        value=value,
        reward=jnp.asarray(rng.normal(size=(T, R)), jnp.float32),
        terminated=jnp.asarray(terminated),
        truncated=jnp.asarray((rng.random((T, R)) < 0.2) & ~terminated),
        final_value=jnp.asarray(rng.normal(size=(T, R)), jnp.float32),
        weight=jnp.ones((T, R)).at[:, 3].set(0).at[:, 6].set(0),
        last_value=jnp.asarray(rng.normal(size=R), jnp.float32),
    )


def largest_change(one, two):
    return max(float(jnp.abs(a - b).max()) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True))
