"""The pool: past policies as one stacked pytree, with what is known of each.

A slot is a place on the axis K; a member is the policy that lives there, observation normaliser included.
"""

import jax
import jax.numpy as jnp
from flax import struct

from league import elo
from league.results import Results
from league.settings import LeagueSettings
from ppo.policy import PolicyState


class Pool(struct.PyTreeNode):
    policies: PolicyState  # [K, ...]
    occupied: jax.Array  # [K] bool
    anchor: jax.Array  # [K] bool: never goes
    generation: jax.Array  # [K] int32: rises whenever the slot gets a new tenant
    iteration: jax.Array  # [K] int32: when the member was a snapshot of the learner
    newest: jax.Array  # [] int32 slot of the newest member
    next: jax.Array  # [] int32 slot that the next snapshot takes
    results: Results  # of the learner against each member
    since: jax.Array  # [3] int32: the learner's wins, draws and losses since the newest member was taken
    quality: jax.Array  # [K] of the matchmaker `openai_five`
    elo: jax.Array  # [K] online rating
    learner_elo: jax.Array  # []


def create(policy: PolicyState, settings: LeagueSettings) -> Pool:
    """A pool whose only member, in slot 0, is a copy of `policy`; an anchor, if the settings say so."""
    slots = settings.player_pool_length
    pool = Pool(
        policies=jax.tree.map(lambda x: jnp.zeros((slots, *x.shape), x.dtype), policy),
        occupied=jnp.zeros(slots, bool),
        anchor=(jnp.arange(slots) == 0) & settings.keep_untrained & (slots > 2),
        generation=jnp.zeros(slots, jnp.int32),
        iteration=jnp.zeros(slots, jnp.int32),
        newest=jnp.int32(-1),
        next=jnp.int32(0),
        results=Results.zeros(slots),
        since=jnp.zeros(3, jnp.int32),
        quality=jnp.zeros(slots),
        elo=jnp.full(slots, elo.INITIAL),
        learner_elo=jnp.float32(elo.INITIAL),
    )
    return add(pool, policy, jnp.int32(0), settings)


def add(pool: Pool, policy: PolicyState, iteration: jax.Array, settings: LeagueSettings) -> Pool:
    """Copies `policy` into the slot `pool.next`, whose results start anew. The copy shares no buffer with `policy`."""
    slot = pool.next
    pool = pool.replace(
        policies=jax.tree.map(lambda stack, leaf: stack.at[slot].set(leaf), pool.policies, policy),
        occupied=pool.occupied.at[slot].set(True),
        generation=pool.generation.at[slot].add(1),
        iteration=pool.iteration.at[slot].set(iteration),
        newest=slot,
        results=pool.results.cleared(slot),
        since=jnp.zeros(3, jnp.int32),
        quality=pool.quality.at[slot].set(jnp.max(jnp.where(pool.occupied, pool.quality, -jnp.inf), initial=0.0)),
        elo=pool.elo.at[slot].set(pool.learner_elo),
    )
    return pool.replace(next=_choose_next(pool, settings))


def _choose_next(pool: Pool, settings: LeagueSettings) -> jax.Array:
    """The first empty slot `[]`; where there is none, that of the member which goes next."""
    slots = pool.occupied.shape[0]
    stays = pool.anchor | (jnp.arange(slots) == pool.newest)
    order = pool.iteration if settings.eviction == "fifo" else -pool.results.win_rate()
    goes = jnp.argmin(jnp.where(stays, jnp.inf, order.astype(jnp.float32)))
    return jnp.where(pool.occupied.all(), goes, jnp.argmin(pool.occupied)).astype(jnp.int32)


def due(pool: Pool, iteration: jax.Array, settings: LeagueSettings) -> jax.Array:
    """`[]` bool: the learner has won enough since the last snapshot, or that is long enough ago."""
    waited = iteration - pool.iteration[pool.newest] >= settings.max_update_steps
    if settings.update_win_rate is None:
        return waited
    games = pool.since.sum()
    win_rate = (pool.since[0] + pool.since[1] / 2) / jnp.maximum(games, 1)
    return waited | ((games >= max(settings.games_to_check, 1)) & (win_rate > settings.update_win_rate))


def recorded(pool: Pool, counts: jax.Array, probability: jax.Array, settings: LeagueSettings) -> Pool:
    """With the learner's `counts` `[K, 3]` of new results; members were drawn with `probability` `[K]`."""
    played = pool.occupied.sum() * jnp.maximum(probability, 1e-3)  # a member that is hardly drawn must not fall at once
    learner_elo, members_elo = elo.updated(pool.learner_elo, pool.elo, counts)
    return pool.replace(
        results=pool.results.recorded(counts, settings.result_decay),
        since=pool.since + counts.sum(0),
        quality=pool.quality - settings.quality_step * counts[:, 0] / played,
        elo=members_elo,
        learner_elo=learner_elo,
    )


def drawable(pool: Pool) -> jax.Array:
    """`[K]` bool: members that new matches may meet.

    The member whose slot the next snapshot takes retires one snapshot early: its last matches end meanwhile, and the
    snapshot waits for them, so nobody's opponent changes in the middle of a match.
    """
    return pool.occupied & (jnp.arange(pool.occupied.shape[0]) != pool.next)
