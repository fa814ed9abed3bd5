"""Matches in play: who acts in which seat, how long opponents stay, and to whom results are credited.

Most policies here are linear, without hidden layers and without noise, and their action is A * member + seat: it
says who played it, and what that player saw.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from league import history, matchmaking
from league import pool as pools
from league.matches import MatchRunner
from league.settings import LeagueSettings
from mjx_arena.batch import BatchedArena
from mjx_arena.types import Box, Discrete
from ppo.policy import Policy
from ppo.settings import PPOSettings

MIRROR, LEAGUE, STEPS, MEMBERS, SLOTS = 2, 14, 80, 3, 4
KEPT_STEPS = 3
LEARNER = 1  # plays as member 1 does: it beats member 0, loses to member 2, and against member 1 the higher seat wins
SETTINGS = LeagueSettings(player_pool_length=SLOTS, tile_rows=4)
VARIANTS = {
    "box-2": (2, Box(1)),
    "box-3": (3, Box(1)),
    "discrete-3": (3, Discrete(3 * SLOTS)),
}


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


def seats_of(seat, agents):
    """`[..., A - 1]` of the members, the first of which sits after the learner."""
    return (np.asarray(seat)[..., None] + 1 + np.arange(agents - 1)) % agents


@pytest.fixture(scope="module", params=VARIANTS)
def played(request, toy_arena):
    """STEPS steps, each leaf `[STEPS, ...]`; in the second half slot 2 has another tenant."""
    agents, action = VARIANTS[request.param]
    arena = toy_arena(agents, action, drill_share=0.3)
    policy = policy_for(arena)
    player = Player(arena, policy, member_of(policy, arena, LEARNER))
    pool = pool_for(policy, arena)
    start = player.start(pool, jax.random.key(0))
    middle, first = player.play(pool, start, jax.random.key(1), STEPS // 2)
    other = pool.replace(generation=pool.generation.at[2].add(1))
    _, second = player.play(other, middle, jax.random.key(2), STEPS // 2)
    before, after, view, rows, statistics = jax.tree.map(lambda *x: np.concatenate(x), first, second)
    ended = rows.terminated | rows.truncated
    return SimpleNamespace(
        agents=agents,
        start=start[1],
        before=before,
        after=after,
        view=view,
        rows=rows,
        statistics=statistics,
        generation=np.repeat([pool.generation, other.generation], STEPS // 2, axis=0),
        league_ended=ended[:, MIRROR * agents :],
        ended=np.concatenate([ended[:, : MIRROR * agents : agents], ended[:, MIRROR * agents :]], 1),
    )


def test_every_action_arrives_in_its_seat(played):
    agents, before = played.agents, played.before
    who = np.full((STEPS, MIRROR + LEAGUE, agents), LEARNER)
    np.put_along_axis(who[:, MIRROR:], seats_of(before.seat, agents), before.slot, 2)
    expected = agents * who + np.arange(agents)
    arrived = played.after.arena.memory.action  # of matches that end it is gone
    going = ~played.ended
    assert going.sum() > STEPS and len(np.unique(who[:, MIRROR:][going[:, MIRROR:]])) == MEMBERS
    np.testing.assert_array_equal(arrived[going], expected[going])


def test_learner_rows_are_all_seats_of_mirror_arenas_and_the_own_seat_of_the_others(played):
    agents, before, view = played.agents, played.before, played.view
    own = np.tile(np.arange(agents), (STEPS, MIRROR))
    seat = np.concatenate([own, before.seat], 1)
    arena = np.concatenate([np.repeat(np.arange(MIRROR), agents), np.arange(MIRROR, MIRROR + LEAGUE)])
    np.testing.assert_array_equal(view.observation[..., :agents], np.eye(agents)[seat])
    np.testing.assert_array_equal(view.observation[..., agents], before.arena.step_count[:, arena])
    np.testing.assert_array_equal(played.rows.reward, agents * LEARNER + seat)  # ended matches included
    memory = before.arena.memory
    np.testing.assert_array_equal(view.alive, ~(memory.drill[:, arena] & (memory.dummy[:, arena] == seat)))
    assert 0 < view.alive.mean() < 1
    assert played.rows.valid.all()


def test_the_final_observation_is_from_before_the_reset(played):
    ended = played.rows.terminated | played.rows.truncated
    agents = played.agents
    length = played.rows.final_observation[..., agents]
    np.testing.assert_array_equal(length, played.view.observation[..., agents] + 1)
    assert set(np.unique(length[ended])) <= {2, 3, 4, 5, 8}
    assert np.all(length[played.rows.truncated] == 8) and played.rows.truncated.any()
    assert np.all(played.after.arena.step_count[played.ended] == 0)


def test_a_match_keeps_its_opponents_from_its_first_step_to_its_last(played):
    going = ~played.league_ended
    for name in ("seat", "slot", "generation"):
        before, after = getattr(played.before, name), getattr(played.after, name)
        np.testing.assert_array_equal(after[going], before[going])
        assert np.any(after[~going] != before[~going])  # and only then draws new ones


def test_every_match_draws_its_seat_and_its_members_anew(played):
    ended = played.league_ended
    seats, slots = played.after.seat[ended], played.after.slot[ended]
    assert len(seats) > 60
    assert scipy.stats.chisquare(np.bincount(seats, minlength=played.agents)).pvalue > 1e-3
    counts = np.bincount(slots.ravel(), minlength=SLOTS)
    assert counts[MEMBERS:].sum() == 0  # nobody lives there
    assert scipy.stats.chisquare(counts[:MEMBERS]).pvalue > 1e-3
    generation = np.broadcast_to(played.generation[:, None, None], (*played.after.slot.shape, SLOTS))
    expected = np.take_along_axis(generation, played.after.slot[..., None], 3)[..., 0]
    np.testing.assert_array_equal(played.after.generation[ended], expected[ended])


def test_the_first_matches_are_drawn_too(played):
    start = played.start
    assert start.seat.shape == (LEAGUE,) and start.slot.shape == (LEAGUE, played.agents - 1)
    assert len(np.unique(start.seat)) > 1 and np.all(np.asarray(start.generation) == 1)
    assert start.history.broken.count == 0 and np.all(np.asarray(start.episode_return) == 0)


def test_results_are_credited_to_the_slots_met_with_the_learners_sign(played):
    agents, before = played.agents, played.before
    # A decided match goes by who played higher; one that time ended is a draw.
    code = agents * LEARNER + before.seat[..., None] - (agents * before.slot + seats_of(before.seat, agents))
    decided = played.rows.terminated[:, MIRROR * agents :, None]
    column = 1 - np.sign(code) * decided
    rated = played.league_ended & ~before.arena.memory.drill[:, MIRROR:]
    current = before.generation == np.take_along_axis(
        np.broadcast_to(played.generation[:, None], (STEPS, LEAGUE, SLOTS)), before.slot, 2
    )
    expected = np.zeros((STEPS, SLOTS, 3), int)
    for step, arena, position in np.argwhere(rated[..., None] & current):
        expected[step, before.slot[step, arena, position], column[step, arena, position]] += 1
    np.testing.assert_array_equal(played.statistics.results, expected)
    total = expected.sum(0)
    assert total[0, 2] == total[2, 0] == 0 < min(total[0, 0], total[2, 2], total[1, 0], total[1, 2])
    # What must not count did occur: drills against members, and matches with a member that is gone.
    assert np.any(played.league_ended & ~rated) and np.any(rated[..., None] & ~current)


def test_matches_drills_lengths_and_returns_are_counted(played):
    before, statistics = played.before, played.statistics
    ended, drill = played.ended, before.arena.memory.drill
    np.testing.assert_array_equal(statistics.matches, (ended & ~drill).sum(1))
    np.testing.assert_array_equal(statistics.exercises, (ended & drill).sum(1))
    np.testing.assert_array_equal(statistics.match_steps, (ended * (before.arena.step_count + 1)).sum(1))
    timed_out = ended & (before.arena.step_count == 7)
    np.testing.assert_array_equal(statistics.exercise_survivals, (timed_out & drill).sum(1))
    assert statistics.exercise_survivals.sum() > 0 and np.all(statistics.draws == 0) and np.all(statistics.broken == 0)

    # Rewards are the actions, and they do not change within a match: a return is the action times the steps.
    agents = played.agents
    who = np.full((STEPS, MIRROR + LEAGUE, agents), LEARNER)
    np.put_along_axis(who[:, MIRROR:], seats_of(before.seat, agents), before.slot, 2)
    action = agents * who + np.arange(agents)
    going = action * (before.arena.step_count + 1)[..., None] * ~ended[..., None]
    np.testing.assert_allclose(played.after.episode_return, going, rtol=1e-6)
    alive = ~(drill[..., None] & (before.arena.memory.dummy[..., None] == np.arange(agents)))
    returns = ((action * alive).sum(2) * (before.arena.step_count + 1) * ended).sum(1)
    np.testing.assert_allclose(statistics.returns, returns, rtol=1e-5)
    np.testing.assert_array_equal(statistics.agent_episodes, (alive * ended[..., None]).sum((1, 2)))
    np.testing.assert_allclose(statistics.reward, (action * alive).sum((1, 2)) / alive.sum((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(statistics.metrics["toy"], action.mean((1, 2)), rtol=1e-5)


def test_nobody_plays_an_illegal_choice(toy_arena):
    agents = 3
    arena = toy_arena(agents, Discrete(3), masked=True, time_limit=5)
    policy = policy_for(arena)
    fresh = policy.init(jax.random.key(0))  # hardly has a preference
    player = Player(arena, policy, fresh)
    pool = pools.create(fresh, SETTINGS)
    start = player.start(pool, jax.random.key(0))
    _, (_, after, view, _, _) = player.play(pool, start, jax.random.key(1), 40)
    assert view.action_mask.shape == (40, MIRROR * agents + LEAGUE, 3)
    np.testing.assert_array_equal(view.action_mask.sum(-1), 2)
    played = after.arena.step_count > 0
    assert not np.any(after.arena.memory.illegal)
    assert set(np.unique(after.arena.memory.action[played])) == {0, 1, 2}


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


@pytest.mark.parametrize(("agents", "mirror"), [(2, 0), (2, MIRROR + LEAGUE), (3, 0), (1, MIRROR + LEAGUE)])
def test_any_share_of_mirror_arenas_works(toy_arena, agents, mirror):
    arena = toy_arena(agents)
    policy = policy_for(arena)
    player = Player(arena, policy, policy.init(jax.random.key(0)), mirror=mirror)
    pool = pools.create(player.learner, SETTINGS)
    start = jax.eval_shape(player._start, pool, jax.random.key(0))
    end, (_, _, view, rows, _) = jax.eval_shape(
        lambda pool, start, key: player._play(pool, start, key, 5), pool, start, jax.random.key(0)
    )
    num_rows = mirror * agents + (MIRROR + LEAGUE - mirror)
    assert view.observation.shape == (5, num_rows, agents + 1) and rows.reward.shape == (5, num_rows)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), end) == jax.tree.map(lambda x: (x.shape, x.dtype), start)


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
