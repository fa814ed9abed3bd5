"""The rules of ant battle in states that are known, and then on the C engine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from still_ants import at, idle, make_battle

import mjx_arena
from mjx_arena import SettingError, check_arena
from mjx_arena.shaping import ShapingSettings
from mjx_arena.tasks.ant_battle.arena import AntBattleSettings, BattleRewards

IN = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)]
OUT = (9.0, 9.0)
DEFAULTS = AntBattleSettings()


@pytest.fixture(scope="module")
def battle():
    return make_battle()


@pytest.fixture(scope="module")
def play(battle):
    return jax.jit(battle.step)


def _places(*out):
    return [OUT if index in out else place for index, place in enumerate(IN)]


def _leave(battle, play, *steps):
    """Plays steps in which those agents leave; returns the last state and what was seen in every step."""
    state, found, gone = at(battle, IN), [], set()
    for out in steps:
        gone |= set(out)
        state = at(battle, _places(*gone), step_count=int(state.step_count), **vars(state.memory))
        state, seen = play(state, idle(battle))
        found.append(seen)
    return state, found


RANKS = {
    "one after the other": (((0,), (1,), (2,)), (4, 3, 2, 1)),
    "two at once, then one": (((0, 1), (2,)), (3.5, 3.5, 2, 1)),
    "three at once": (((0, 1, 3),), (3, 3, 1, 3)),
    "all at once": (((0, 1, 2, 3),), (2.5, 2.5, 2.5, 2.5)),
    "the last two at once": (((1,), (3,), (0, 2)), (1.5, 4, 1.5, 3)),
}


@pytest.mark.parametrize(("steps", "ranks"), RANKS.values(), ids=RANKS)
def test_ranks_follow_who_leaves_when_and_ties_share_the_mean(battle, play, steps, ranks):
    state, seen = _leave(battle, play, *steps)
    assert [bool(s.terminated) for s in seen] == [False] * (len(steps) - 1) + [True]
    np.testing.assert_allclose(state.memory.rank, ranks)
    outcome = 1 - 2 * (np.array(ranks) - 1) / 3
    np.testing.assert_allclose(seen[-1].outcome, outcome, atol=1e-6)
    assert sum(seen[-1].outcome) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("steps", "ranks"), RANKS.values(), ids=RANKS)
def test_everyone_is_paid_its_outcome_once_when_its_rank_is_known(battle, play, steps, ranks):
    _, seen = _leave(battle, play, *steps)
    paid = np.array([s.reward for s in seen])
    outcome = DEFAULTS.reward.rank * (1 - 2 * (np.array(ranks) - 1) / 3)
    np.testing.assert_allclose(paid.sum(0), outcome, atol=1e-4)
    for agent in range(4):
        left = next((index for index, out in enumerate(steps) if agent in out), len(steps) - 1)
        assert (np.delete(paid[:, agent], left) == 0).all(), "nothing before, and nothing afterwards"


def test_whoever_is_out_is_taken_away_and_plays_no_part(battle, play):
    state, [seen] = _leave(battle, play, (1,))
    assert seen.alive.tolist() == [True, False, True, True]
    parked = state.physics.qpos.reshape(4, 15)[1, :2]
    assert np.linalg.norm(parked) > DEFAULTS.ring_radius + 3
    others = seen.observation[0, 31:].reshape(3, 14)
    assert (np.asarray(others[0]) == 0).all() and (np.asarray(others[1:, -1]) == 1).all()
    later, seen = play(state, jnp.ones((4, 8)))
    np.testing.assert_array_equal(later.physics.qpos.reshape(4, 15)[1, :2], parked)
    assert seen.reward[1] == 0 and float(later.memory.rank[1]) == 4


def test_the_ring_shrinks_to_its_last_radius():
    battle = make_battle(ring_radius=3.0, final_radius=1.0, time_limit=100)
    for step_count, radius in ((0, 2.98), (49, 2.0), (99, 1.0)):
        inside, outside = ([(r, 0.0), *IN[1:3], (0, -0.5)] for r in (radius - 0.05, radius + 0.05))
        near = [(min(x, radius - 0.06), min(y, radius - 0.06)) for x, y in inside[1:]]
        for places, left in (([inside[0], *near], False), ([outside[0], *near], True)):
            state, _ = battle.step(
                at(battle, [tuple(np.clip(p, -radius + 0.06, 9)) for p in places], step_count=step_count), idle(battle)
            )
            assert bool(state.memory.out[0]) == left, (step_count, places)


def test_at_the_time_limit_those_that_are_left_share_the_first_ranks(battle, play):
    places = [(0.1, 0.0), (0.0, 0.1), OUT, (-0.1, 0.0)]
    state, seen = play(at(battle, places, step_count=DEFAULTS.time_limit - 1), idle(battle))
    assert bool(seen.terminated) and not bool(seen.truncated)
    np.testing.assert_allclose(state.memory.rank, [2, 2, 4, 2])
    assert seen.alive.tolist() == [True, True, False, True]


@pytest.mark.parametrize("num_agents", [2, 3, 8])
def test_it_is_played_by_two_to_eight(num_agents):
    battle = make_battle(num_agents=num_agents, start_radius=3.2 if num_agents == 8 else 2.3, ring_radius=4.0)
    state, seen = battle.reset(jax.random.key(0))
    assert seen.observation.shape == (num_agents, battle.observation_size)
    _, seen = battle.step(state, idle(battle))
    assert not bool(seen.terminated) and seen.alive.all()


def test_shaping_terms_worked_by_hand():
    """The first moves outwards by 0.01 m in a step, the next two stand, and the last is out already."""
    moving = [(0.6, 0.0), (0.0, 0.0), (0.0, 0.0), (0.6, 0.6)]
    for term, expected in (("centre", (-0.01, 0, 0, 0)), ("push", (0, 0.01 / 3, 0.01 / 3, 0)), ("control", (0,) * 4)):
        battle = make_battle(reward=BattleRewards(**{"centre": 0.0, "push": 0.0, "control": 0.0, term: 0.5}))
        state = at(battle, IN, velocities=moving, out=[False, False, False, True], rank=[0.0, 0.0, 0.0, 4.0])
        _, seen = battle.step(state.replace(memory=state.memory.replace(shaping=jnp.float32(0.2))), idle(battle))
        np.testing.assert_allclose(seen.reward, 0.5 * 0.2 * np.array(expected), atol=1e-6)


def test_nobody_learns_from_what_comes_after_its_elimination(battle, play):
    """The shaping of the others' fight does not reach who is out."""
    moving = 0.3 * np.array(IN)  # outwards
    state = at(battle, IN, velocities=moving, out=[False, True, False, False], rank=[0.0, 4.0, 0.0, 0.0])
    _, seen = play(state, idle(battle))
    assert seen.reward[1] == 0 and (np.asarray(seen.reward)[[0, 2]] != 0).all()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"num_agents": 1}, "task.num_agents=1"),
        ({"num_agents": 9}, "task.num_agents=9"),
        ({"num_agents": 8}, "task.start_radius=2.3"),
        ({"final_radius": 4.0}, "task.final_radius=4.0"),
        ({"shaping": ShapingSettings(steps=0)}, "task.shaping.steps=0"),
        ({"reward": BattleRewards(rank=1.0)}, "task.reward.rank=1.0: must exceed"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(changes, key):
    with pytest.raises(SettingError, match=key):
        AntBattleSettings(**changes).validate()


@pytest.mark.parametrize("engine", ["native", pytest.param("mjx", marks=pytest.mark.slow)])
def test_it_passes_the_public_check(engine):
    check_arena(mjx_arena.make("ant_battle", engine))
