"""The pool: past policies as one stacked pytree, with their ages, roles and ratings.

A slot is an index on the axis K; a member is the policy in it, with its observation normaliser. R learners, each in its
role, share the pool; the results of one learner against the members are its record.
"""

import jax
import jax.numpy as jnp
from flax import struct

from league import elo
from league.results import Results
from league.settings import LeagueSettings
from ppo.policy import PolicyState

FOREIGN = -1  # role of a member that is a snapshot of none of the learners


class Record(struct.PyTreeNode):
    """One learner's results and ratings against the pool's members; S sides."""

    results: Results  # against each member
    since: jax.Array  # [3] int32: its wins, draws and losses since its newest snapshot was taken
    newest: jax.Array  # [] int32 slot of its newest snapshot; at first that of the untrained policy
    quality: jax.Array  # [K] logits of the matchmaker `openai_five`
    elo: jax.Array  # [] online rating of the learner
    by_side: jax.Array  # [S, K, 3] int32: all its results on each side; S is 0 in a game of one side

    @classmethod
    def create(cls, slots: int, num_sides: int = 1) -> "Record":
        """Returns the record of a learner that has played no match."""
        return cls(
            results=Results.zeros(slots),
            since=jnp.zeros(3, jnp.int32),
            newest=jnp.int32(0),
            quality=jnp.zeros(slots),
            elo=jnp.float32(elo.INITIAL),
            by_side=jnp.zeros((num_sides if num_sides > 1 else 0, slots, 3), jnp.int32),
        )


class Pool(struct.PyTreeNode):
    """K slots for members, and the records of R learners."""

    policies: PolicyState  # [K, ...]
    occupied: jax.Array  # [K] bool
    anchor: jax.Array  # [K] bool: the member is never replaced
    generation: jax.Array  # [K] int32: rises by 1 whenever the slot gets a new member
    role: jax.Array  # [K] int32: index of the role whose snapshot the member is, or FOREIGN
    iteration: jax.Array  # [K] int32: when the snapshot was taken
    elo: jax.Array  # [K] online ratings of the members
    next: jax.Array  # [] int32 slot that the next snapshot takes
    records: Record  # [R, ...]

    def record(self, role: int) -> Record:
        """Returns the record of the learner with index `role`."""
        return jax.tree.map(lambda x: x[role], self.records)


def create(untrained: PolicyState, settings: LeagueSettings, num_sides: int = 1) -> Pool:
    """Returns a pool whose only member, in slot 0, is a copy of `untrained`: an anchor, with `keep_untrained`."""
    slots, roles = settings.player_pool_length, len(settings.roles)
    pool = Pool(
        policies=jax.tree.map(lambda x: jnp.zeros((slots, *x.shape), x.dtype), untrained),
        occupied=jnp.zeros(slots, bool),
        anchor=jnp.zeros(slots, bool),
        generation=jnp.zeros(slots, jnp.int32),
        role=jnp.full(slots, FOREIGN, jnp.int32),
        iteration=jnp.zeros(slots, jnp.int32),
        elo=jnp.full(slots, elo.INITIAL, jnp.float32),
        next=jnp.int32(0),
        records=jax.tree.map(lambda x: jnp.stack([x] * roles), Record.create(slots, num_sides)),
    )
    return add(pool, untrained, jnp.int32(0), settings, anchor=settings.keep_untrained)


def add(
    pool: Pool,
    policy: PolicyState,
    iteration: jax.Array,
    settings: LeagueSettings,
    role: int = FOREIGN,
    anchor: bool = False,
) -> Pool:
    """Copies `policy` into the slot `pool.next` and clears its results. The copy shares no buffer with `policy`."""
    slot, records = pool.next, pool.records
    best = jnp.max(jnp.where(pool.occupied, records.quality, -jnp.inf), 1, initial=0.0)
    records = records.replace(
        results=jax.vmap(lambda results: results.cleared(slot))(records.results),
        quality=records.quality.at[:, slot].set(best),
        by_side=records.by_side.at[:, :, slot].set(0),
    )
    if role != FOREIGN:
        records = records.replace(since=records.since.at[role].set(0), newest=records.newest.at[role].set(slot))
    pool = pool.replace(
        policies=jax.tree.map(lambda stack, leaf: stack.at[slot].set(leaf), pool.policies, policy),
        occupied=pool.occupied.at[slot].set(True),
        anchor=pool.anchor.at[slot].set(anchor),
        generation=pool.generation.at[slot].add(1),
        role=pool.role.at[slot].set(role),
        iteration=pool.iteration.at[slot].set(iteration),
        elo=pool.elo.at[slot].set(elo.INITIAL if role == FOREIGN else records.elo[role]),
        records=records,
    )
    return pool.replace(next=_choose_next(pool, settings))


def _choose_next(pool: Pool, settings: LeagueSettings) -> jax.Array:
    """Returns the first empty slot `[]`; in a full pool, the slot of the member to replace next.

    With several learners, the results of the first one decide which member is easiest.
    """
    stays = pool.anchor.at[pool.records.newest].set(True)
    order = pool.iteration if settings.eviction == "fifo" else -pool.record(0).results.win_rate()
    goes = jnp.argmin(jnp.where(stays, jnp.inf, order.astype(jnp.float32)))
    return jnp.where(pool.occupied.all(), goes, jnp.argmin(pool.occupied)).astype(jnp.int32)


def recorded(
    pool: Pool,
    counts: jax.Array,
    probability: jax.Array,
    settings: LeagueSettings,
    by_side: jax.Array | None = None,
) -> Pool:
    """Returns the pool with new results: the learners' `counts` `[R, K, 3]` of wins, draws and losses.

    `probability` `[R, K]` is that of drawing each member. `by_side` `[R, S, K, 3]` holds the same counts by side.
    """
    members_elo, records = pool.elo, []
    for role in range(len(settings.roles)):
        record, new, drawn = pool.record(role), counts[role], probability[role]
        learner_elo, members_elo = elo.updated(record.elo, members_elo, new)
        played = pool.occupied.sum() * jnp.maximum(drawn, 1e-3)  # a member that is seldom drawn must not fall at once
        records.append(
            record.replace(
                results=record.results.recorded(new, settings.result_decay),
                since=record.since + new.sum(0),
                quality=record.quality - settings.quality_step * new[:, 0] / played,
                elo=learner_elo,
                by_side=record.by_side if by_side is None else record.by_side + by_side[role],
            )
        )
    return pool.replace(elo=members_elo, records=jax.tree.map(lambda *x: jnp.stack(x), *records))


def forgotten(pool: Pool, role: int) -> Pool:
    """Returns the pool with the record of `role` reset, after its learner was re-initialised; its snapshots stay."""
    fresh = Record.create(pool.occupied.shape[0]).replace(
        newest=pool.records.newest[role], by_side=jnp.zeros_like(pool.records.by_side[role])
    )
    return pool.replace(records=jax.tree.map(lambda x, new: x.at[role].set(new), pool.records, fresh))


def drawable(pool: Pool) -> jax.Array:
    """Returns which members new matches may draw, `[K]` bool.

    The member that the next snapshot replaces is no longer drawn. The snapshot waits until its last matches have ended,
    so no opponent changes in the middle of a match.
    """
    return pool.occupied & (jnp.arange(pool.occupied.shape[0]) != pool.next)
