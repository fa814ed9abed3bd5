"""Matchmakers: functions from the pool and a learner's record to the probability of drawing each member.

To add one, write a function, enter it in `MATCHMAKERS`, and add its share to `league.settings.MixSettings`. Those that
belong to a role are in `league.roles`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from league.pool import Pool, Record, drawable
from league.settings import LeagueSettings

Matchmaker = Callable[[Pool, Record, LeagueSettings], jax.Array]


def latest(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns probabilities `[K]`: 1 for the learner's newest snapshot."""
    del settings
    return (jnp.arange(pool.occupied.shape[0]) == record.newest).astype(jnp.float32)


def uniform(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns equal probabilities `[K]` for all drawable members."""
    del record, settings
    return _normalized(drawable(pool).astype(jnp.float32))


def delta_uniform(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns equal probabilities `[K]` for the newer members: those after the share `delta` of the pool, by age.

    Bansal et al., "Emergent Complexity via Multi-Agent Competition" (2018).
    """
    del record
    age_rank = jnp.sum(pool.occupied & (pool.iteration < pool.iteration[:, None]), 1)
    youngest = pool.occupied.sum() - 1
    return _normalized(drawable(pool) * (age_rank >= jnp.floor(settings.delta * youngest)))


def pfsp(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns probabilities `[K]` by prioritised fictitious self-play: by weights of the learner's win rates.

    Vinyals et al., "Grandmaster level in StarCraft II using multi-agent reinforcement learning" (2019). Where all
    weights are 0, probabilities are equal.
    """
    return prioritized(record, drawable(pool), settings.pfsp_weight, settings.pfsp_power)


def prioritized(record: Record, among: jax.Array, weight: str, power: float = 2.0) -> jax.Array:
    """Returns probabilities `[K]` of `pfsp` with `PFSP_WEIGHTS[weight]` over the members `among` `[K]` bool, if any."""
    return _normalized(PFSP_WEIGHTS[weight](record.results.win_rate(), power) * among, instead=_normalized(1.0 * among))


def openai_five(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns probabilities `[K]`: 80 % for the newest snapshot, 20 % shared by the softmax of `Record.quality`.

    OpenAI et al., "Dota 2 with Large Scale Deep Reinforcement Learning" (2019).
    """
    by_quality = jax.nn.softmax(jnp.where(drawable(pool), record.quality, -jnp.inf))
    return 0.8 * latest(pool, record, settings) + 0.2 * by_quality


def mix(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns the average `[K]` of the other matchmakers' probabilities, with the weights `league.mix`."""
    shares = {name: share for name, share in vars(settings.mix).items() if share > 0}
    total = sum(shares.values())
    parts = [share / total * MATCHMAKERS[name](pool, record, settings) for name, share in shares.items()]
    return jnp.stack(parts).sum(0)


MATCHMAKERS: dict[str, Matchmaker] = {
    "latest": latest,
    "uniform": uniform,
    "delta_uniform": delta_uniform,
    "pfsp": pfsp,
    "openai_five": openai_five,
    "mix": mix,
}
# name -> function of x `[K]`, the learner's win rate against each member, and of the power of `hard`; weights `[K]`.
PFSP_WEIGHTS: dict[str, Callable[[jax.Array, float], jax.Array]] = {
    "hard": lambda x, power: (1 - x) ** power,
    "var": lambda x, power: x * (1 - x),
    "linear": lambda x, power: 1 - x,
    "capped": lambda x, power: jnp.minimum(0.5, 1 - x),
}


def _normalized(weight: jax.Array, instead: jax.Array | None = None) -> jax.Array:
    """Returns `weight` `[K]` divided by its sum, or `instead` `[K]` where the sum is 0."""
    total = weight.sum()
    shares = weight / jnp.maximum(total, 1e-10)
    return shares if instead is None else jnp.where(total < 1e-10, instead, shares)


def draw(probability: jax.Array, point: jax.Array) -> jax.Array:
    """Draws slots `[...]` int32 with `probability` `[K]`, by inversion; a slot of probability 0 is never drawn.

    `point` `[...]` are uniform random numbers in [0, 1).
    """
    cumulative = jnp.cumsum(probability)
    # A point of 0 is moved past slots of probability 0 at the front by side="right".
    scaled = point * cumulative[-1]
    slot = jnp.searchsorted(cumulative, scaled, side="right", method="compare_all")
    slot = jnp.minimum(slot, probability.shape[0] - 1)
    # Rounding in a long cumulative sum can give a slot of probability 0 a tiny interval: its neighbour gets that.
    positive = jax.lax.cummax(jnp.where(probability > 0, jnp.arange(probability.shape[0], dtype=jnp.int32), 0))
    return positive[slot]
