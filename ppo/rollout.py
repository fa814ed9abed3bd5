"""Collects experience: R rows of the learner act for T steps. The environment moves all other agents."""

from typing import Any, Protocol

import chex
import jax
import jax.numpy as jnp
from flax import struct

from ppo.policy import Policy, PolicyState


class RowView(struct.PyTreeNode):
    """What the learner sees before a step: one row for each agent that it controls, R of them."""

    observation: jax.Array  # [R, O]
    alive: jax.Array  # [R] bool: the row's action has an effect, so there is something to learn from it
    action_mask: jax.Array | None  # [R, n] bool


class RowStep(struct.PyTreeNode):
    """Result of one step for the learner's rows."""

    reward: jax.Array  # [R]
    terminated: jax.Array  # [R] bool
    truncated: jax.Array  # [R] bool
    final_observation: jax.Array  # [R, O] after the step, before any reset
    valid: jax.Array  # [R] bool: false where physics left the finite numbers; nothing is learned from such a step


class Environment(Protocol):
    """What `collect` steps: an environment with R rows for the learner, whose whole state is `carry`."""

    def view(self, carry: Any) -> RowView:
        """Returns what the learner's rows see now."""
        ...

    def step(self, carry: Any, action: jax.Array, key: chex.PRNGKey) -> tuple[Any, RowStep, Any]:
        """Plays the rows' actions `[R, ...]`; returns the new carry, the result, and statistics of this step."""
        ...


class Trajectory(struct.PyTreeNode):
    """T steps of R rows, as the policy acted and the environment answered."""

    observation: jax.Array  # [T, R, O]
    action_mask: jax.Array | None  # [T, R, n]
    action: jax.Array  # [T, R, ...]
    log_prob: jax.Array  # [T, R]
    value: jax.Array  # [T, R]
    reward: jax.Array  # [T, R]
    terminated: jax.Array  # [T, R]
    truncated: jax.Array  # [T, R]
    final_value: jax.Array  # [T, R] value of the final observation where truncated
    weight: jax.Array  # [T, R] 1 where the step may be learned from, else 0
    last_value: jax.Array  # [R] of the observation after the last step


def collect(
    environment: Environment, policy: Policy, state: PolicyState, carry: Any, key: chex.PRNGKey, horizon: int
) -> tuple[Any, Trajectory, Any]:
    """Plays T = `horizon` steps with sampled actions; returns the carry, the trajectory, and statistics `[T, ...]`."""

    def step(carry, key):
        k_action, k_step = jax.random.split(key)
        view = environment.view(carry)
        distribution, value = policy.apply(state, view.observation, view.action_mask)
        action = distribution.sample(k_action)
        carry, result, statistics = environment.step(carry, action, k_step)
        final_value = jax.lax.cond(  # time limits are rare: most steps need no second value
            result.truncated.any(),
            lambda: policy.value(state, result.final_observation),
            lambda: jnp.zeros_like(value),
        )
        # A broken step has no successor. Bootstrapping from its own value keeps it out of earlier steps' advantages.
        final_value = jnp.where(result.valid, final_value, value)
        record = Trajectory(
            observation=view.observation,
            action_mask=view.action_mask,
            action=action,
            log_prob=distribution.log_prob(action),
            value=value,
            reward=result.reward,
            terminated=result.terminated,
            truncated=result.truncated,
            final_value=final_value,
            weight=(view.alive & result.valid).astype(jnp.float32),
            last_value=jnp.zeros(0),
        )
        return carry, (record, statistics)

    carry, (trajectory, statistics) = jax.lax.scan(step, carry, jax.random.split(key, horizon))
    last_value = policy.value(state, environment.view(carry).observation)
    return carry, trajectory.replace(last_value=last_value), statistics
