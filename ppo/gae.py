"""Generalised advantage estimation."""

import jax
import jax.numpy as jnp


def generalized_advantage(
    reward: jax.Array,
    value: jax.Array,
    last_value: jax.Array,
    terminated: jax.Array,
    truncated: jax.Array,
    final_value: jax.Array,
    gamma: float,
    gae_lambda: float,
) -> tuple[jax.Array, jax.Array]:
    """Returns advantages and value targets, both `[T, R]`, after Schulman et al., arXiv:1506.02438, eq. 16.

        delta_t = r_t + gamma * next_t - V_t
        A_t     = delta_t + gamma * lambda * (1 - ended_t) * A_{t+1}
        next_t  = 0 where terminated; V(final observation) where truncated; V_{t+1} elsewhere

    Args: `reward`, `value`, `terminated`, `truncated`, `final_value` are `[T, R]`; `last_value` `[R]` is the value of
    the observation after the last step. `final_value` is read only where `truncated`. Targets are `A + V`.
    """
    next_value = jnp.concatenate([value[1:], last_value[None]])
    next_value = jnp.where(truncated, final_value, next_value) * ~terminated
    delta = reward + gamma * next_value - value
    decay = gamma * gae_lambda * ~(terminated | truncated)

    def backwards(advantage, step):
        delta, decay = step
        advantage = delta + decay * advantage
        return advantage, advantage

    _, advantage = jax.lax.scan(backwards, jnp.zeros_like(last_value), (delta, decay), reverse=True)
    return advantage, advantage + value
