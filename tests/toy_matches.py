"""Matches of a toy game, to be played by policies whose actions say who played them, and what that player saw.

The policies are linear, without hidden layers and without noise; an action is A * member + seat.
"""

import jax
import jax.numpy as jnp

from league import matchmaking
from league import pool as pools
from league.matches import MatchRunner
from league.settings import LeagueSettings
from mjx_arena.batch import BatchedArena
from mjx_arena.types import Box
from ppo.policy import Policy
from ppo.settings import PPOSettings

MIRROR, LEAGUE, MEMBERS, SLOTS = 2, 14, 3, 4
KEPT_STEPS = 3
LEARNER = 1  # plays as member 1 does: it beats member 0, loses to member 2, and against member 1 the higher seat wins
SETTINGS = LeagueSettings(player_pool_length=SLOTS, tile_rows=4)


def policy_for(arena):
    settings = PPOSettings(actor_hidden=(), critic_hidden=(), initial_log_std=-200.0, min_log_std=-200.0)
    return Policy(arena.observation_size, arena.action, settings)


def member_of(policy, arena, number):
    """The policy whose action is A * number + seat."""
    agents, state = arena.num_agents, policy.init(jax.random.key(0))
    if isinstance(arena.action, Box):
        kernel, bias = jnp.arange(agents, dtype=jnp.float32)[:, None], jnp.array([1.0 * agents * number])
    else:  # the choice that fits both the seat and the number gets 100, all others 50 at most
        choice = jnp.arange(arena.action.size)
        kernel = 50.0 * (choice % agents == jnp.arange(agents)[:, None])
        bias = 50.0 * (choice // agents == number)
    kernel = jnp.concatenate([kernel, jnp.zeros((1, kernel.shape[1]))])  # blind to the steps played
    actor = {"params": {"Dense_0": {"kernel": kernel, "bias": bias}}}
    return state.replace(params={**state.params, "actor": actor})


def pool_for(policy, arena):
    """Member m in slot m; the last slot is empty."""
    pool = pools.create(member_of(policy, arena, 0), SETTINGS)
    for number in range(1, MEMBERS):
        pool = pools.add(pool, member_of(policy, arena, number), jnp.int32(number), SETTINGS)
    return pool


class Player:
    """`start` and `play` of one variant of the game."""

    def __init__(self, arena, policy, learner, mirror=MIRROR):
        self.arena, self.policy, self.learner = arena, policy, learner
        self.mirror, self.batch = mirror, BatchedArena(arena, 4)
        self.start = jax.jit(self._start)
        self.play = jax.jit(self._play, static_argnums=3)

    def runner(self, pool, bank):
        probability = matchmaking.uniform(pool, pool.record(0), SETTINGS)
        return MatchRunner(
            self.batch, self.policy, self.mirror, SETTINGS.tile_rows, pool, probability, bank, KEPT_STEPS
        )

    def _start(self, pool, key):
        """A bank of 8 starts, and fresh matches."""
        k_bank, k_start = jax.random.split(key)
        bank = self.batch.make_bank(k_bank, 8)
        return bank, self.runner(pool, bank).start(k_start, MIRROR + LEAGUE)

    def _play(self, pool, start, key, steps):
        bank, carry = start
        match = self.runner(pool, bank)

        def step(carry, key):
            k_act, k_step = jax.random.split(key)
            view = match.view(carry)
            action = self.policy.distribution(self.learner, view.observation, view.action_mask).sample(k_act)
            after, row_step, statistics = match.step(carry, action, k_step)
            return after, (_without_key(carry), _without_key(after), view, row_step, statistics)

        carry, history = jax.lax.scan(step, carry, jax.random.split(key, steps))
        return (bank, carry), history


def _without_key(matches):
    return matches.replace(arena=matches.arena.replace(key=None), history=None)
