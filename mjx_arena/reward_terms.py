"""Rewards as sums of named terms, weighted and logged in the same way in every game."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp


def pay(
    terms: Mapping[str, jax.Array],
    weights: Mapping[str, float | jax.Array] | None = None,
    alive: jax.Array | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns the reward `[A]`, a weighted sum of `terms` `{name: [A]}`, and metrics `{"reward/<name>": []}`.

    Args:
      terms: by name, for each agent; or `{name: []}`, for a game of one agent and a reward `[]`.
      weights: by name of the term; None if the terms are weighted already. Raises KeyError for a missing name.
      alive: `[A]` bool, the agents that metrics are means over; None for all.
    """
    paid = {name: term if weights is None else weights[name] * term for name, term in terms.items()}
    reward = jnp.stack(list(paid.values())).sum(0)
    if alive is None:
        return reward, {f"reward/{name}": jnp.mean(term) for name, term in paid.items()}
    return reward, {f"reward/{name}": jnp.sum(term * alive) / alive.sum() for name, term in paid.items()}
