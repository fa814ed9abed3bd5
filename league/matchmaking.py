"""Who meets whom. A matchmaker turns the pool into drawing probabilities; add one by a function and a name."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from league.pool import Pool, drawable
from league.settings import LeagueSettings


def latest(pool: Pool, settings: LeagueSettings) -> jax.Array:
    """Always the newest member: probabilities `[K]`."""
    del settings
    return (jnp.arange(pool.occupied.shape[0]) == pool.newest).astype(jnp.float32)


def uniform(pool: Pool, settings: LeagueSettings) -> jax.Array:
    """Every member alike: probabilities `[K]`."""
    del settings
    members = drawable(pool).astype(jnp.float32)
    return members / members.sum()


def mix(pool: Pool, settings: LeagueSettings) -> jax.Array:
    """The newest member with probability `latest_share`, else uniform: probabilities `[K]`."""
    share = settings.latest_share
    return share * latest(pool, settings) + (1 - share) * uniform(pool, settings)


MATCHMAKERS: dict[str, Callable[[Pool, LeagueSettings], jax.Array]] = {
    "latest": latest,
    "uniform": uniform,
    "mix": mix,
}


def draw(probability: jax.Array, key: chex.PRNGKey, shape: tuple[int, ...]) -> jax.Array:
    """Slots `shape` int32 drawn from `probability` `[K]` by inversion; one of probability 0 is never drawn."""
    cumulative = jnp.cumsum(probability)
    # uniform() can return 0, which side="right" moves past slots of probability 0 at the front.
    point = jax.random.uniform(key, shape) * cumulative[-1]
    slot = jnp.minimum(jnp.searchsorted(cumulative, point, side="right"), probability.shape[0] - 1)
    # Long sums are not taken in order, so rounding can leave a slot of probability 0 a sliver: its neighbour gets it.
    positive = jax.lax.cummax(jnp.where(probability > 0, jnp.arange(probability.shape[0], dtype=jnp.int32), 0))
    return positive[slot]
