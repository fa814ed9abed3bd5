"""The rules of ant sumo in states that are known, and then on the C engine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from still_ants import at, idle, make_sumo

import mjx_arena
from mjx_arena import SettingError, check_arena
from mjx_arena.shaping import ShapingSettings
from mjx_arena.tasks.ant_sumo.arena import AntSumoSettings, SumoRewards
from mjx_arena.types import Progress

INSIDE, OUTSIDE = (1.0, 0.0), (3.1, 0.0)
AWAY = (-1.0, 0.5)
DEFAULTS = AntSumoSettings()
LOW, HIGH = DEFAULTS.low_height - 0.01, DEFAULTS.low_height + 0.01


@pytest.fixture(scope="module")
def sumo():
    return make_sumo()


@pytest.fixture(scope="module")
def play(sumo):
    return jax.jit(sumo.step)


RESULTS = {
    "first leaves the ring": (((3.0, 0.1), AWAY), (5, 5), (-1, 1)),
    "second leaves the ring": ((INSIDE, (0, -3.2)), (5, 5), (1, -1)),
    "both in one step": (((3.0, 0.1), (0, -3.2)), (5, 5), (0, 0)),
    "first has no points left": ((INSIDE, AWAY), (0, 5), (-1, 1)),
    "one leaves, the other has no points left": ((INSIDE, (0, -3.2)), (0, 5), (0, 0)),
}


@pytest.mark.parametrize(("positions", "points", "outcome"), RESULTS.values(), ids=RESULTS)
def test_who_leaves_the_ring_or_has_no_hit_points_loses(sumo, play, positions, points, outcome):
    _, seen = play(at(sumo, positions, hit_points=points), idle(sumo))
    assert bool(seen.terminated) and not bool(seen.truncated)
    assert tuple(seen.outcome) == outcome
    reward = SumoRewards()
    expected = {1: reward.win, -1: -reward.lose, 0: -reward.draw}
    np.testing.assert_allclose(seen.reward, [expected[x] - reward.time for x in outcome], atol=1e-5)


def test_inside_with_hit_points_the_match_goes_on(sumo, play):
    _, seen = play(at(sumo, (INSIDE, (2.99, 0))), idle(sumo))
    assert not bool(seen.terminated | seen.truncated)
    np.testing.assert_allclose(seen.reward, -SumoRewards().time)


def test_the_time_limit_is_a_draw_that_costs_both(sumo, play):
    state = at(sumo, (INSIDE, AWAY), step_count=DEFAULTS.time_limit - 1)
    _, seen = play(state, idle(sumo))
    assert bool(seen.terminated) and not bool(seen.truncated)
    assert seen.outcome.tolist() == [0, 0]
    np.testing.assert_allclose(seen.reward, -SumoRewards().draw - SumoRewards().time, rtol=1e-6)


def test_a_step_with_the_torso_on_the_ground_costs_one_hit_point(sumo, play):
    state, _ = play(at(sumo, (INSIDE, AWAY), heights=(LOW, HIGH)), idle(sumo))
    assert state.memory.hit_points.tolist() == [DEFAULTS.hit_points - 1, DEFAULTS.hit_points]
    last = at(sumo, (INSIDE, AWAY), heights=(LOW, HIGH), hit_points=(1, 1))
    assert play(last, idle(sumo))[1].outcome.tolist() == [-1, 1]


def test_both_see_hit_points_and_their_distance_to_the_edge(sumo, play):
    positions = ((1.0, 0.0), (0.0, -2.0))
    _, seen = play(at(sumo, positions, hit_points=(30, 70)), idle(sumo))
    own, other = seen.observation[:, 26], seen.observation[:, 42]
    np.testing.assert_allclose(own, [0.3, 0.7], atol=1e-6)
    np.testing.assert_allclose(other, [0.7, 0.3], atol=1e-6)
    np.testing.assert_allclose(seen.observation[:, 27], [2.0, 1.0], atol=1e-5)
    np.testing.assert_allclose(seen.observation[:, 28:30], [[-1, 0], [0, 2]], atol=1e-5)  # towards the centre


# Red at (1, 0) moves to the opponent at 0.5 m/s; blue, at (-1, 0), away from the centre at 0.3 m/s.
MOVING = ((-0.5, 0.0), (-0.3, 0.0))
# In a step of 1/60 s they come closer by 0.2 / 60 m, red gets nearer to the centre by 0.5 / 60 m, blue goes 0.3 / 60 m.
SHAPED = {"approach": (0.2 / 60, 0.2 / 60), "push": (0.3 / 60, -0.5 / 60), "low": (-1.0, 0.0), "control": (0.0, 0.0)}


@pytest.mark.parametrize("term", SHAPED)
@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_shaping_terms_worked_by_hand(term, weight):
    weights = {name: 0.0 for name in SHAPED} | {"time": 0.0, term: 0.4}
    sumo = make_sumo(reward=SumoRewards(**weights))
    state = at(sumo, ((1, 0), (-1, 0)), (LOW, HIGH), MOVING, shaping=np.float32(weight))
    _, seen = sumo.step(state, idle(sumo))
    np.testing.assert_allclose(seen.reward, 0.4 * weight * np.array(SHAPED[term]), atol=1e-6)


def test_control_costs_the_mean_square_of_the_clipped_action():
    sumo = make_sumo(reward=SumoRewards(time=0, approach=0, push=0, low=0, control=0.01))
    action = idle(sumo).at[0].set(1.0).at[1, :2].set(-5.0)
    _, seen = sumo.step(at(sumo, (INSIDE, AWAY)), action)
    np.testing.assert_allclose(seen.reward, [-0.01, -0.01 * 2 / 8], rtol=1e-5)


def test_shaping_falls_in_a_line_to_its_floor():
    sumo = make_sumo(shaping=ShapingSettings(start=1.0, end=0.2, steps=1000))
    state = at(sumo, (INSIDE, AWAY))
    run = [Progress(jnp.float32(steps), jnp.int32(0)) for steps in (0, 500, 1000, 10**9)]
    weights = [float(sumo.progressed(state, progress).memory.shaping) for progress in run]
    np.testing.assert_allclose(weights, [1.0, 0.6, 0.2, 0.2], rtol=1e-5)


def test_starts_lie_opposite_each_other_within_the_ring_and_face_the_centre():
    sumo = make_sumo()
    state, _ = jax.jit(jax.vmap(sumo.reset))(jax.random.split(jax.random.key(0), 300))
    position = np.asarray(state.physics.qpos).reshape(300, 2, 15)[..., :2]
    np.testing.assert_allclose(position[:, 0], -position[:, 1], atol=1e-5)
    radius = np.linalg.norm(position[:, 0], axis=1)
    low, high = DEFAULTS.start_radius
    assert low - 1e-4 <= radius.min() < low + 0.1 and high - 0.1 < radius.max() <= high + 1e-4
    assert len(np.unique(np.sign(position[:, 0]) @ [1, 3])) == 4, "all directions"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"hit_points": 0}, "task.hit_points=0"),
        ({"start_radius": (0.1, 2.0)}, "task.start_radius="),
        ({"start_radius": (1.0, 3.0)}, "task.start_radius="),
        ({"shaping": ShapingSettings(start=-1)}, "task.shaping.start=-1"),
        ({"shaping": ShapingSettings(start=3.0)}, "task.reward.win=10.0: must exceed what shaping can add up to"),
        ({"reward": SumoRewards(draw=-1)}, "task.reward.draw=-1"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(changes, key):
    with pytest.raises(SettingError, match=key):
        AntSumoSettings(**changes).validate()


@pytest.mark.parametrize("engine", ["native", pytest.param("mjx", marks=pytest.mark.slow)])
def test_it_passes_the_public_check(engine):
    check_arena(mjx_arena.make("ant_sumo", engine))
