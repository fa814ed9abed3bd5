"""Whole matches of random play end alike on every engine: their lengths and returns have one distribution.

Matches start and are played alike, and part within steps: contacts let the smallest difference grow.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import mjx_arena
from mjx_arena.batch import BatchedArena, where
from mjx_arena.devices import safe_block_size
from mjx_arena.physics import ModelSettings, PhysicsSettings

NUM_MATCHES = 2048
TASKS = ("humanoid_duel",)
pytestmark = pytest.mark.slow  # most of a minute


@functools.cache
def play(task, engine, timestep=None):
    """Length `[NUM_MATCHES]` and return `[NUM_MATCHES]` (a mean over the agents) of matches of random actions."""
    settings = PhysicsSettings(engine=engine, model=ModelSettings(timestep=timestep))
    arena = mjx_arena.make(task, settings)
    batch = BatchedArena(arena, safe_block_size(NUM_MATCHES, settings.wanted_block))

    def going(carry):
        return ~carry[1].all()

    def step(carry):
        state, ended, length, total, key = carry
        key, k_action = jax.random.split(key)
        action = jax.random.uniform(k_action, (NUM_MATCHES, arena.num_agents, arena.action.size), minval=-1)
        new_state, seen = batch.step_without_reset(state, action)
        total = total + jnp.where(ended, 0, seen.reward.mean(1))
        length = length + ~ended
        state = jax.tree.map(lambda new, old: where(ended, old, new), new_state, state)
        return state, ended | seen.terminated | seen.truncated, length, total, key

    @jax.jit
    def run(key):
        k_reset, k_play = jax.random.split(key)
        state, _ = batch.reset(k_reset, NUM_MATCHES)
        nothing = jnp.zeros(NUM_MATCHES)
        start = (state, jnp.zeros(NUM_MATCHES, bool), nothing.astype(jnp.int32), nothing, k_play)
        return jax.lax.while_loop(going, step, start)[2:4]

    return tuple(np.asarray(x) for x in run(jax.random.key(0)))


@pytest.mark.parametrize("task", TASKS)
def test_lengths_and_returns_of_random_matches_are_distributed_alike(task):
    (mjx_length, mjx_return), (c_length, c_return) = play(task, "mjx"), play(task, "native")
    assert stats.ks_2samp(mjx_length, c_length).pvalue > 0.01
    assert stats.ks_2samp(mjx_return, c_return).pvalue > 0.01
    assert (mjx_length != c_length).any(), "the engines are two"


def test_the_comparison_would_notice_another_time_step():
    """A tenth more by the lengths, which count steps; a third more by the returns too."""
    length, total = play("humanoid_duel", "native")
    assert stats.ks_2samp(length, play("humanoid_duel", "native", timestep=0.011)[0]).pvalue < 1e-6
    assert stats.ks_2samp(total, play("humanoid_duel", "native", timestep=0.013)[1]).pvalue < 1e-6
