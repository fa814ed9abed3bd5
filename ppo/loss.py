"""The clipped surrogate objective of PPO, with a value loss and an entropy bonus."""

import jax
import jax.numpy as jnp
from flax import struct

from mjx_arena.batch import where
from ppo.policy import Policy, PolicyState
from ppo.settings import PPOSettings


class Samples(struct.PyTreeNode):
    """A minibatch of B agent steps to learn from."""

    observation: jax.Array  # [B, O]
    action_mask: jax.Array | None  # [B, n]
    action: jax.Array  # [B, ...]
    log_prob: jax.Array  # [B] under the policy that acted
    value: jax.Array  # [B] by the critic of that policy
    advantage: jax.Array  # [B]
    target: jax.Array  # [B] for the critic
    weight: jax.Array  # [B] 1, or 0 for a step to leave out
    reflected: jax.Array | None = None  # [B] bool: the image of a step, not one that was played; None: all were played


def weighted_mean(x: jax.Array, weight: jax.Array) -> jax.Array:
    """Returns the mean `[]` of `x` `[B]` over the steps with weight 1; 0 if there are none."""
    return jnp.sum(jnp.where(weight > 0, x, 0)) / jnp.maximum(jnp.sum(weight), 1)


def surrogate_loss(ratio: jax.Array, advantage: jax.Array, epsilon: float) -> jax.Array:
    """Returns `-min(ratio A, clip(ratio, 1 - epsilon, 1 + epsilon) A)` `[B]`: arXiv:1707.06347, eq. 7."""
    return -jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - epsilon, 1 + epsilon) * advantage)


def value_loss(value: jax.Array, target: jax.Array, old_value: jax.Array, epsilon: float | None) -> jax.Array:
    """Returns half the squared error `[B]`; with `epsilon`, the larger of that and of the clipped value's.

    The clipped form is that of the reference implementation of arXiv:1707.06347; `epsilon=None` gives the plain form.
    """
    loss = jnp.square(value - target)
    if epsilon is not None:
        clipped = old_value + jnp.clip(value - old_value, -epsilon, epsilon)
        loss = jnp.maximum(loss, jnp.square(clipped - target))
    return 0.5 * loss


def approximate_kl(log_ratio: jax.Array) -> jax.Array:
    """Returns `(ratio - 1) - log ratio` `[B]`, the estimate "k3" of KL(old || new).

    Schulman, "Approximating KL divergence" (2020).
    """
    return jnp.expm1(log_ratio) - log_ratio


def ppo_loss(
    params: dict, state: PolicyState, policy: Policy, samples: Samples, settings: PPOSettings
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns the loss `[]` of `params` on a minibatch, and metrics `{name: []}`; `state` gives the normaliser."""
    # Steps of weight 0 may hold NaN. Leaving them out of the mean alone would not do: their gradient would be 0 * NaN.
    kept = samples.weight > 0
    samples = jax.tree.map(lambda x: where(kept, x, jnp.zeros_like(x)), samples)
    distribution, value = policy.apply(state.replace(params=params), samples.observation, samples.action_mask)
    log_ratio = jnp.where(kept, distribution.log_prob(samples.action) - samples.log_prob, 0)
    ratio = jnp.exp(log_ratio)
    clip_value = settings.clip_epsilon if settings.clip_value_loss else None

    played = samples.weight if samples.reflected is None else samples.weight * ~samples.reflected

    def mean(x):
        return weighted_mean(x, samples.weight)

    policy_part = mean(surrogate_loss(ratio, samples.advantage, settings.clip_epsilon))
    value_part = mean(value_loss(value, samples.target, samples.value, clip_value))
    entropy = mean(distribution.entropy())
    excess = mean(distribution.excess())
    loss = policy_part + settings.value_coefficient * value_part - settings.entropy_coefficient * entropy
    loss += settings.bound_coefficient * excess
    return loss, {
        "loss/policy": policy_part,
        "loss/value": value_part,
        "loss/bound": excess,
        "entropy": entropy,
        # Of an image it would be how far the policy is from its own image, which no step causes.
        "kl": weighted_mean(approximate_kl(log_ratio), played),
        "clip_fraction": mean((jnp.abs(ratio - 1) > settings.clip_epsilon).astype(jnp.float32)),
        "ratio_min": jnp.where(kept, ratio, jnp.inf).min(),
        "ratio_max": jnp.where(kept, ratio, -jnp.inf).max(),
    }
