"""The pool: past policies as one stacked pytree, with what is known of each.

A slot is a place on the axis K; a member is the policy that lives there, observation normaliser included.
"""

import jax
import jax.numpy as jnp
from flax import struct

from league.results import Results
from ppo.policy import PolicyState


class Pool(struct.PyTreeNode):
    policies: PolicyState  # [K, ...]
    occupied: jax.Array  # [K] bool
    generation: jax.Array  # [K] int32: rises whenever the slot gets a new tenant
    iteration: jax.Array  # [K] int32: when the member was a snapshot of the learner
    newest: jax.Array  # [] int32 slot of the newest member
    results: Results  # of the learner against each member


def create(policy: PolicyState, slots: int) -> Pool:
    """A pool of `slots` places whose only member, in slot 0, is a copy of `policy`."""
    pool = Pool(
        policies=jax.tree.map(lambda x: jnp.zeros((slots, *x.shape), x.dtype), policy),
        occupied=jnp.zeros(slots, bool),
        generation=jnp.zeros(slots, jnp.int32),
        iteration=jnp.zeros(slots, jnp.int32),
        newest=jnp.int32(-1),
        results=Results.zeros(slots),
    )
    return add(pool, policy, jnp.int32(0))


def next_slot(pool: Pool) -> jax.Array:
    """Slot `[]` that the next snapshot takes: they are filled in order, so once all are, it is the oldest member's."""
    return (pool.newest + 1) % pool.occupied.shape[0]


def add(pool: Pool, policy: PolicyState, iteration: jax.Array) -> Pool:
    """Copies `policy` into `next_slot`, whose results start anew. The copy shares no buffer with `policy`."""
    slot = next_slot(pool)
    return Pool(
        policies=jax.tree.map(lambda stack, leaf: stack.at[slot].set(leaf), pool.policies, policy),
        occupied=pool.occupied.at[slot].set(True),
        generation=pool.generation.at[slot].add(1),
        iteration=pool.iteration.at[slot].set(iteration),
        newest=slot,
        results=pool.results.cleared(slot),
    )


def drawable(pool: Pool) -> jax.Array:
    """`[K]` bool: members that new matches may meet.

    The member whose slot is the next to be overwritten retires one snapshot early. Its matches end meanwhile, so
    nobody's opponent changes in the middle of one. A pool of one slot has nobody else and keeps it.
    """
    slots = pool.occupied.shape[0]
    retiring = (jnp.arange(slots) == next_slot(pool)) & (slots > 1)
    return pool.occupied & ~retiring
