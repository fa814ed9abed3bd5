"""Matches that end undecided: at the time limit, where physics break; and agents that go before their match ends."""

import jax
import jax.numpy as jnp
import numpy as np
from toy_matches import LEAGUE, LEARNER, MIRROR, SETTINGS, Player, member_of, policy_for, pool_for

from league import history
from league import pool as pools
from mjx_arena.types import Box, Discrete


def test_ties_at_the_time_limit_are_draws(toy_arena):
    # All play the same choice whatever they see: no match is decided, and all end at the time limit.
    arena = toy_arena(2, Discrete(1), time_limit=4)
    policy = policy_for(arena)
    fresh = policy.init(jax.random.key(0))
    player = Player(arena, policy, fresh)
    pool = pools.create(fresh, SETTINGS)
    start = player.start(pool, jax.random.key(0))
    _, (_, _, _, rows, statistics) = player.play(pool, start, jax.random.key(1), 12)
    assert rows.truncated.sum(0).tolist() == [3] * (2 * MIRROR + LEAGUE) and not rows.terminated.any()
    np.testing.assert_array_equal(statistics.results.sum((0, 1)), [0, 3 * LEAGUE, 0])
    assert statistics.draws.sum() == statistics.matches.sum() == 3 * (MIRROR + LEAGUE)
    assert statistics.match_steps.sum() == 12 * (MIRROR + LEAGUE)


def test_a_match_that_breaks_is_annulled_and_remembered(toy_arena):
    arena = toy_arena(2, Box(1), lengths=(5, 5))
    policy = policy_for(arena)
    player = Player(arena, policy, member_of(policy, arena, LEARNER))
    pool = pool_for(policy, arena)
    bank, carry = player.start(pool, jax.random.key(0))
    step = jax.jit(player.runner(pool, bank).step)
    sound = jnp.zeros((2 * MIRROR + LEAGUE, 1))
    rows = [1, 2 * MIRROR + 3]  # the second agent of mirror arena 0, the learner of league arena 3
    carry, _, _ = step(carry, sound + 1, jax.random.key(1))
    after, row_step, statistics = step(carry, sound.at[jnp.array(rows)].set(jnp.nan), jax.random.key(2))
    broken_rows = np.isin(np.arange(len(sound)), [0, 1, 2 * MIRROR + 3])
    np.testing.assert_array_equal(row_step.valid, ~broken_rows)
    np.testing.assert_array_equal(row_step.truncated, broken_rows)
    assert not row_step.terminated.any() and np.all(np.asarray(row_step.reward) == 0)
    assert int(statistics.broken) == 2 and not np.any(statistics.results)
    assert int(statistics.matches) == int(statistics.exercises) == int(statistics.match_steps) == 0
    assert np.isfinite(statistics.reward) and np.isfinite(statistics.returns) and np.isfinite(statistics.metrics["toy"])
    broken_arenas = [0, MIRROR + 3]
    going = np.setdiff1d(np.arange(MIRROR + LEAGUE), broken_arenas)
    np.testing.assert_array_equal(np.asarray(after.arena.step_count)[broken_arenas], 0)
    np.testing.assert_array_equal(np.asarray(after.arena.step_count)[going], 2)
    np.testing.assert_array_equal(np.asarray(after.episode_return)[broken_arenas], 0)
    assert all(np.all(np.isfinite(x)) for x in (after.observation, after.episode_return, after.arena.memory.action))
    # They are kept: who played, and how it came to that. The learner's seat in the other one is drawn.
    assert carry.history.broken.count == 0 and after.history.broken.count == 2
    moment = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[2:], x.dtype), after.history.moments)
    timestep = bank.timestep.replace(observation=carry.observation)
    end = jax.eval_shape(lambda: player.runner(pool, bank)._end(carry, carry.arena, timestep))
    end = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), end)
    moments, end = map(history.unpacked, (after.history.broken.moments, after.history.broken.ends), (moment, end))
    assert end.arena[:2].tolist() == broken_arenas and end.length[:2].tolist() == [2, 2]
    np.testing.assert_array_equal(moments.action[0, -1, :, 0], [0, np.nan])
    assert moments.state.step_count[:2, -2:].tolist() == [[0, 1], [0, 1]]
    seat, players = int(carry.seat[3]), [[history.LEARNER] * 2, [history.LEARNER] * 2]
    players[1][1 - seat] = int(carry.slot[3, 0])
    assert end.player[:2].tolist() == players
    assert end.snapshot[1, 1 - seat] == players[1][1 - seat]  # member m was taken in iteration m
    counts = dict(zip(after.history.names, after.history.nonfinite.tolist(), strict=True))
    assert counts == {"action": 2, "physics": 0, "observation": 0, "reward": 2}


def test_an_elimination_ends_the_match_for_the_agent_alone(toy_arena):
    """Its row terminates once, when it goes; the others' rows go on, and so does the match."""

    class Elimination:
        """Agent 0 is out after the third step of a match of six."""

        def __init__(self, arena):
            self.arena = arena

        def __getattr__(self, name):
            return getattr(self.arena, name)

        def step(self, state, action):
            state, timestep = self.arena.step(state, action)
            gone = (jnp.arange(3) == 0) & (state.step_count >= 3)
            return state, timestep.replace(alive=timestep.alive & ~gone)

    arena = Elimination(toy_arena(3, Box(1), lengths=(6, 6)))
    policy = policy_for(arena)
    player = Player(arena, policy, policy.init(jax.random.key(0)), mirror=MIRROR + LEAGUE)
    pool = pools.create(player.learner, SETTINGS)
    start = player.start(pool, jax.random.key(0))
    _, (_, _, view, rows, statistics) = player.play(pool, start, jax.random.key(1), 12)
    assert np.asarray(statistics.agent_episodes).tolist() == [
        (MIRROR + LEAGUE) * part for part in (0, 0, 1, 0, 0, 2) * 2
    ]
    terminated = np.asarray(rows.terminated).reshape(12, MIRROR + LEAGUE, 3)
    steps = [np.flatnonzero(terminated[:, :, agent].all(1)).tolist() for agent in range(3)]
    assert steps == [[2, 5, 8, 11], [5, 11], [5, 11]]
    assert terminated.sum() == 8 * (MIRROR + LEAGUE)
    alive = np.asarray(view.alive).reshape(12, MIRROR + LEAGUE, 3)
    assert not alive[3:6, :, 0].any() and alive[6:9].all()
