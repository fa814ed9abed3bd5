"""The duel's rewards and observations against numbers worked out by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from still_duel import IDLE, STANDING, make_duel, stand, start

from mjx_arena.tasks.humanoid_duel import arena as humanoid_duel
from mjx_arena.tasks.humanoid_duel.arena import HumanoidDuelSettings, RewardWeights

TERMS = [field.name for field in dataclasses.fields(RewardWeights)]
NO_REWARD = RewardWeights(**dict.fromkeys(TERMS, 0.0))
DEFAULTS = HumanoidDuelSettings()

# Rewards. Red stands at (0, 0), blue at (3, 4); both look along +x.

UPRIGHT = (0.25, 0.5)  # of the way from the fall height to standing
HEIGHTS = [DEFAULTS.fall_height + share * (STANDING - DEFAULTS.fall_height) for share in UPRIGHT]
TILTED = (np.cos(np.pi / 6), np.sin(np.pi / 6), 0, 0)  # rolled by 60 degrees: its up axis leans to z = 0.5
LOW = DEFAULTS.fall_height - 1e-3
SPEEDS = np.zeros((2, 10))
SPEEDS[0, :3], SPEEDS[1, :3] = (0.3, 0.4, 9), (-0.6, 0.2, -9)
ACTION = jnp.array([[1, -1, 0.5, 0], [0, 0, 3, 0]], jnp.float32)  # 3 is clipped to 1


def reward_of(term, qpos, qvel=SPEEDS, action=ACTION, **state):
    """Both agents' reward where `term` alone has a weight, of 1."""
    duel = make_duel(reward=dataclasses.replace(NO_REWARD, **{term: 1.0}))
    _, timestep = duel.step(start(duel, qpos, qvel, **state), action)
    return timestep.reward


HAND_WORKED = {
    "upright": (0.25, 0.5),
    "balance": (1.0, 0.5),
    "opponent_off_balance": (0.5, 0.75),
    "control": (-(1 + 1 + 0.25) / 4, -1 / 4),
    "approach": ((0.3 * 3 + 0.4 * 4) / 5, (0.6 * 3 - 0.2 * 4) / 5),
    "ground": ((-0.15 * 3 + 0.3 * 4) / 5, (0.15 * 3 - 0.3 * 4) / 5),  # both together move at (-0.15, 0.3)
    "time": (-1.0, -1.0),
    "win": (0.0, 0.0),
    "fall": (0.0, 0.0),
}


def test_every_term_has_hand_worked_numbers():
    assert set(HAND_WORKED) == set(TERMS)


@pytest.mark.parametrize("term", TERMS)
def test_each_reward_term_has_its_hand_worked_value(term):
    qpos = stand(HEIGHTS, quats=((1, 0, 0, 0), TILTED))
    np.testing.assert_allclose(reward_of(term, qpos), HAND_WORKED[term], atol=1e-5)


@pytest.mark.parametrize(
    ("heights", "win", "fall"),
    [
        ((LOW, STANDING), (0, 1), (-1, 0)),
        ((HEIGHTS[1], LOW), (UPRIGHT[1], 0), (0, -1)),
        ((LOW, LOW), (0, 0), (-1, -1)),
    ],
    ids=["red falls, blue stands", "blue falls, red crouches", "both fall"],
)
def test_a_win_pays_by_how_high_the_winner_stands_and_a_fall_costs_who_fell(heights, win, fall):
    np.testing.assert_allclose(reward_of("win", stand(heights)), win, atol=1e-5)
    np.testing.assert_array_equal(reward_of("fall", stand(heights)), fall)


def test_upright_stays_between_0_and_1():
    np.testing.assert_array_equal(reward_of("upright", stand((STANDING + 0.3, LOW))), [1, 0])
    np.testing.assert_array_equal(reward_of("opponent_off_balance", stand((STANDING + 0.3, LOW))), [1, 0])


def test_approach_is_bounded_and_over_within_reach():
    def approach(distance):
        return reward_of("approach", stand(positions=((0, 0), (distance, 0))), fast)

    fast = np.zeros((2, 10))
    fast[:, 0] = 5, 7
    np.testing.assert_array_equal(approach(humanoid_duel._REACH + 0.01), [1, -1])
    np.testing.assert_array_equal(approach(humanoid_duel._REACH - 0.01), [0, 0])


def test_rewards_are_finite_where_the_torsos_are_on_top_of_each_other():
    for term in ("approach", "ground"):
        assert np.isfinite(reward_of(term, stand(positions=((0, 0), (0, 0))))).all()


@pytest.mark.parametrize(
    "exercise", [{"drill": True, "held": (False, True)}, {"shadow": True}], ids=["drill", "shadow"]
)
@pytest.mark.parametrize("term", TERMS)
def test_in_an_exercise_only_the_terms_of_balance_count(term, exercise):
    """What an opponent could give or take is worth nothing."""
    reward = reward_of(term, stand((LOW, HEIGHTS[1]), quats=((1, 0, 0, 0), TILTED)), **exercise)
    if term in ("opponent_off_balance", "approach", "ground", "time", "win"):
        np.testing.assert_array_equal(reward, [0, 0])
    else:
        assert reward[0] != 0 or term == "upright", "the learner has fallen"


WEIGHTS = RewardWeights(**{term: 0.1 + 0.07 * index for index, term in enumerate(TERMS)})


@pytest.mark.parametrize("held", [(False, False), (False, True), (True, False)], ids=["duel", "blue held", "red held"])
def test_the_reward_is_the_weighted_sum_of_each_agents_own_terms(held):
    qpos, drill = stand((HEIGHTS[0], LOW), quats=((1, 0, 0, 0), TILTED)), any(held)
    duel = make_duel(reward=WEIGHTS)
    # A held body has no speed and no say, so both sides of the comparison judge the same state.
    speeds = np.where(np.array(held)[:, None], 0, SPEEDS)
    _, timestep = duel.step(start(duel, qpos, speeds, drill=drill, held=held), ACTION)
    terms = {term: reward_of(term, qpos, speeds, drill=drill, held=held) for term in TERMS}
    expected = sum(getattr(WEIGHTS, term) * np.asarray(value) for term, value in terms.items())
    np.testing.assert_allclose(timestep.reward, expected, atol=1e-5)
    alive = ~np.array(held)
    for term, value in terms.items():
        mean = getattr(WEIGHTS, term) * np.asarray(value)[alive].mean()
        np.testing.assert_allclose(timestep.metrics[f"reward/{term}"], mean, atol=1e-6, err_msg=term)


# The seats.


@pytest.fixture(scope="module")
def judge():
    """Observation and reward of a state `(qpos [2, 11], qvel [2, 10])` after `action`."""
    duel = make_duel(reward=WEIGHTS)

    @jax.jit
    def judge(qpos, qvel, action):
        timestep = duel.step(start(duel, qpos, qvel), action)[1]
        return timestep.observation, timestep.reward, timestep.outcome

    return judge


def random_state(seed):
    rng = np.random.default_rng(seed)
    qpos = rng.normal(0, 0.5, (2, 11))
    qpos[:, 2] = rng.uniform(DEFAULTS.fall_height - 0.05, STANDING, 2)
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos, rng.normal(0, 1, (2, 10)), rng.uniform(-1.5, 1.5, (2, 4))


def moved(qpos, qvel, angle, shift):
    """The same arena, turned about the vertical and carried elsewhere; spins are in body coordinates and stay."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    quat = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
    qpos, qvel = qpos.copy(), qvel.copy()
    qpos[:, :2], qvel[:, :2] = qpos[:, :2] @ turn.T + shift, qvel[:, :2] @ turn.T
    for torso in qpos:
        mujoco.mju_mulQuat(torso[3:7], quat, torso[3:7].copy())
    return qpos, qvel


def observes_steadily(qpos):
    """Not so near to looking straight up or down that the heading has no direction, nor about to cross a threshold."""
    facing = 1 - 2 * (qpos[:, 5] ** 2 + qpos[:, 6] ** 2), 2 * (qpos[:, 4] * qpos[:, 5] + qpos[:, 3] * qpos[:, 6])
    distance = np.linalg.norm(qpos[0, :2] - qpos[1, :2])
    return np.linalg.norm(facing, axis=0).min() > 0.1 and abs(distance - humanoid_duel._REACH) > 1e-3 < distance


@hypothesis_settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(-np.pi, np.pi), st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
def test_swapping_the_agents_and_turning_the_arena_swaps_what_they_get(judge, seed, angle, shift):
    qpos, qvel, action = random_state(seed)
    assume(observes_steadily(qpos))
    expected = judge(qpos, qvel, action)
    turned_qpos, turned_qvel = moved(qpos, qvel, angle, shift)
    found = judge(turned_qpos[::-1], turned_qvel[::-1], action[::-1])
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other[::-1], one, rtol=1e-5, atol=1e-5)


def test_an_observation_shows_the_opponent_from_where_the_agent_stands(judge):
    """Red looks along +y at blue, 2 m ahead and half a metre to its left, who looks along -x and moves towards +x."""
    quarter, half = (np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)), (0, 0, 0, 1)
    qpos = stand((1.1, 1.0), ((0, 0), (-0.5, 2)), (quarter, half))
    qpos[:, 7:] = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]
    qvel = np.zeros((2, 10))
    qvel[0, :6], qvel[1, :3] = (1, 2, 3, 4, 5, 6), (7, 0, 0)
    qvel[:, 6:] = [[1, 2, 3, 4], [5, 6, 7, 8]]
    red = judge(qpos, qvel, IDLE)[0][0]
    expected = [
        *(1.1, 0, 0, 1),  # height; the world's up in the torso's coordinates
        *(2, -1, 3, 4, 5, 6),  # speed ahead, left, up; spin
        *(0.1, 0.2, 0.3, 0.4, 1, 2, 3, 4),  # hinges and their speeds
        *(2, 0.5, -0.1, np.hypot(2, 0.5)),  # where blue is, and how far on the ground
        *(0, -7, 0),  # blue's velocity
        *(0, 1),  # blue looks to red's left
        *(0, 0, 1),  # blue's up
        *(0.5, 0.6, 0.7, 0.8, 5, 6, 7, 8),  # blue's hinges and their speeds
    ]
    np.testing.assert_allclose(red, expected, atol=1e-5)
