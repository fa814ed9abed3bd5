"""Where the camera of a film stands, and what a pose is worth: read from poses alone."""

import numpy as np

from mjx_arena.tasks.car_soccer import field
from mjx_arena.tasks.car_soccer.units import METRE
from mjx_arena.types import Shot

_GOAL = field.HALF_LENGTH * METRE  # m, |y| of the goals


def steer(pose: np.ndarray) -> Shot:
    """Returns the shot of a pose `[nq]` from behind the first car: towards the ball, and the goal that lies beyond."""
    ball, car = pose[:3], np.array([*pose[7:9], max(pose[9], 0)])
    to_ball = ball[:2] - car[:2]
    far = float(np.linalg.norm(to_ball))
    # The goal that the car would drive the ball to; none, but the middle, where the ball is beside it.
    goal = np.array([0, np.tanh(to_ball[1] / 8 + 0.4) * _GOAL]) - car[:2]
    ahead = to_ball / (far + 4) + 0.4 * goal / (np.linalg.norm(goal) + 10)
    ahead /= max(np.linalg.norm(ahead), 1e-3)
    # The camera stands back for both to fit into the picture while the ball is high above the car.
    back = 8.5 + 0.03 * far + max(ball[2] - car[2] - 4, 0) * 15 / (15 + far)
    eye = np.array([*(car[:2] - back * ahead), car[2] + 3.8])
    low, high = (_elevation(place - eye) for place in (car, ball))
    elevation = np.clip((low + high) / 2 + 0.03, low + 0.08, low + 0.27)
    distance = back + 0.4 * far
    x, y, z = (eye + distance * np.array([*(np.cos(elevation) * ahead), np.sin(elevation)])).tolist()
    azimuth, elevation = np.degrees([np.arctan2(ahead[1], ahead[0]), elevation]).tolist()
    return Shot((x, y, z), distance, azimuth, elevation)


def points(pose: np.ndarray) -> tuple[int, ...]:
    """Returns the goals of each car's team in a pose `[nq]`: 1 for those that attack the goal in which the ball is."""
    scored, team = int(abs(pose[1]) > field.SCORED * METRE), (len(pose) // 7 - 1) // 2
    blue = scored * int(pose[1] > 0)
    return (blue,) * team + (scored - blue,) * team


def _elevation(way: np.ndarray) -> float:
    """Returns the angle of a way `[3]` above the ground, rad."""
    return float(np.arctan2(way[2], np.linalg.norm(way[:2])))
