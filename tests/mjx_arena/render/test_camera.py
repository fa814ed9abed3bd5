"""The camera of films: where it begins, how it follows, and what car soccer wants it to see."""

import mujoco
import numpy as np
import pytest

from mjx_arena.render.camera import Camera
from mjx_arena.tasks.car_soccer import camera as soccer
from mjx_arena.types import Shot, View

BALL = "<mujoco><worldbody><body><freejoint/><geom size='.2'/></body></worldbody></mujoco>"
FRAME = 1 / 60


@pytest.fixture
def ball():
    model = mujoco.MjModel.from_xml_string(BALL)
    return model, mujoco.MjData(model)


def put(model, data, x):
    data.qpos[0] = x
    mujoco.mj_forward(model, data)


def test_a_shot_begins_where_the_view_wants_it(ball):
    camera = Camera(ball[0], View(distance=5.0, azimuth=30.0))
    put(*ball, 3.0)
    assert camera.cut(ball[1]) == Shot((3.0, 0.0, 0.75), 5.0, 30.0, -12.0)


def test_a_steady_motion_is_followed_without_lag_and_a_jump_smoothly(ball):
    camera = Camera(ball[0], View())
    put(*ball, 0.0)
    camera.cut(ball[1])
    for frame in range(1, 181):
        put(*ball, 4 * frame * FRAME)  # 4 m/s
        seen = camera.follow(ball[1], FRAME).lookat[0]
    assert seen == pytest.approx(12.0, abs=0.01)
    put(*ball, 20.0)
    jumped = camera.follow(ball[1], FRAME).lookat[0]
    assert 12 < jumped < 14


def test_the_camera_turns_the_short_way_round(ball):
    view = View(steer=lambda pose: Shot((0.0, 0.0, 0.0), 1.0, 170.0 if pose[0] < 1 else -170.0, 0.0))
    camera = Camera(ball[0], view)
    put(*ball, 0.0)
    assert camera.cut(ball[1]).azimuth == 170
    put(*ball, 2.0)
    turns = [camera.follow(ball[1], FRAME).azimuth for _ in range(120)]
    assert 170 < turns[0] < 175 and turns[-1] == pytest.approx(190, abs=0.1)


def soccer_pose(ball, car):
    return np.array([*ball, 1, 0, 0, 0, *car, 1, 0, 0, 0, 0, 40, 0.17, 1, 0, 0, 0], float)


def angles(shot, place):
    """Degrees of a place to the left of the middle of a picture, and above it."""
    azimuth, elevation = np.radians([shot.azimuth, shot.elevation])
    ahead = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    left = np.array([-np.sin(azimuth), np.cos(azimuth), 0])
    way = np.array(place) - (np.array(shot.lookat) - shot.distance * ahead)
    depth = way @ ahead
    return np.degrees(np.arctan2([way @ left, way @ np.cross(ahead, left)], depth))


@pytest.mark.parametrize("seed", range(40))
def test_car_and_ball_are_in_the_picture_wherever_they_are(seed):
    rng = np.random.default_rng(seed)
    ball, car = rng.uniform((-38, -48, 0.9), (38, 48, 14)), rng.uniform((-38, -48, 0.2), (38, 48, 4))
    if seed % 2:  # close to each other, as they mostly are
        ball = car + rng.normal(size=3) * 3
        ball[2] = max(ball[2], 0.9)
    shot = soccer.steer(soccer_pose(ball, car))
    for place in (ball, car):
        aside, above = angles(shot, place)
        assert abs(aside) < 36 and abs(above) < 22.5  # of 16:9, 45 degrees high


def test_the_goal_that_a_car_attacks_is_in_the_picture_too():
    for ball, car, goal in (((0, 0, 1), (3, -20, 0.2), (0, 51, 3)), ((10, -10, 1), (5, 15, 0.2), (0, -51, 3))):
        aside, above = angles(soccer.steer(soccer_pose(ball, car)), goal)
        assert abs(aside) < 33 and abs(above) < 20


def test_the_goals_of_a_pose_are_those_of_the_team_that_attacks_there():
    assert soccer.points(soccer_pose((0, 52.2, 1), (0, 0, 0))) == (1, 0)
    assert soccer.points(soccer_pose((0, -52.2, 1), (0, 0, 0))) == (0, 1)
    assert soccer.points(soccer_pose((0, 52.0, 1), (0, 0, 0))) == (0, 0)
