"""Poses between control steps: rates of turning worked out by hand, and bodies that are put elsewhere."""

import mujoco
import numpy as np
import pytest

from mjx_arena.render.timeline import Timeline

DT = 0.1
# A free body, a hinge on it, a second free body, a ball joint, and a slide.
BODIES = """<mujoco><worldbody>
  <body><freejoint/><geom size='.2'/><body><joint type='hinge'/><geom size='.1'/></body></body>
  <body pos='3 0 0'><freejoint/><geom size='.2'/></body>
  <body pos='0 3 0'><joint type='ball'/><geom size='.2' pos='.3 0 0'/></body>
  <body pos='0 5 0'><joint type='slide'/><geom size='.2'/></body>
</worldbody></mujoco>"""


@pytest.fixture(scope="module")
def model():
    return mujoco.MjModel.from_xml_string(BODIES)


def turned(axis, degrees):
    half = np.radians(degrees) / 2
    return [np.cos(half), *(np.sin(half) * np.array(axis))]


def pose(first=(0, 0, 1), turn=0.0, hinge=0.0, second=(3, 0, 1), ball=0.0, slide=0.0):
    return np.array([*first, *turned((0, 0, 1), turn), hinge, *second, 1, 0, 0, 0, *turned((1, 0, 0), ball), slide])


def test_control_steps_are_shown_as_they_are(model):
    poses = np.float32([pose(), pose((1, 0, 1), 80, 0.5, ball=30, slide=1)])
    line = Timeline(model, poses, DT)
    assert line.duration == pytest.approx(DT)
    np.testing.assert_array_equal(line.at(0), poses[0])
    np.testing.assert_array_equal(line.at(DT), poses[1])
    np.testing.assert_array_equal(line.at(2 * DT), poses[1])  # the last one stays


def test_places_move_and_orientations_turn_at_a_constant_rate(model):
    line = Timeline(model, np.array([pose(), pose((1, 2, 3), 120, 0.9, ball=-60, slide=2)]), DT)
    # A third of the way: a third of each angle, where a mean of quaternions would have turned by 33.7 degrees.
    np.testing.assert_allclose(line.at(DT / 3), pose((1 / 3, 2 / 3, 5 / 3), 40, 0.3, ball=-20, slide=2 / 3), atol=1e-9)


def test_a_turn_takes_the_short_way_whatever_the_sign_of_its_quaternion(model):
    after = pose(turn=350)
    after[3:7] *= -1
    line = Timeline(model, np.array([pose(turn=20), after]), DT)
    found = line.at(DT / 2)[3:7]
    np.testing.assert_allclose(found * np.sign(found[0]), turned((0, 0, 1), 5), atol=1e-9)


def test_what_is_put_elsewhere_stays_until_then_and_the_rest_moves_on(model):
    after = pose((0, 30, 1), 90, 1.0, second=(3, 1, 1), ball=20, slide=1)  # 300 m/s
    line = Timeline(model, np.array([pose(), after]), DT)
    for time in (0.3 * DT, 0.99 * DT):
        share = time / DT
        np.testing.assert_allclose(
            line.at(time), pose(second=(3, share, 1), ball=20 * share, slide=share), atol=1e-9
        )  # the first body, and the hinge on it, as they were
    np.testing.assert_array_equal(line.at(DT), after)


def test_the_fastest_ball_of_car_soccer_is_not_put_elsewhere(model):
    line = Timeline(model, np.array([pose(), pose((0, 60 / 15, 1))]), 1 / 15)
    np.testing.assert_allclose(line.at(0.5 / 15), pose((0, 2, 1)), atol=1e-9)
