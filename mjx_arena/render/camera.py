"""The camera of a view: what it should see of a pose, and how it follows a match without jerks."""

import mujoco
import numpy as np

from mjx_arena.types import Shot, View

_CALM = 0.25  # s; what is older than that counts little for where the camera is


class Camera:
    """The camera of `view`, for films and viewers: `cut` begins a shot, and `follow` goes on with it."""

    def __init__(self, model: mujoco.MjModel, view: View):
        self._view = view
        roots = [body for body in range(1, model.nbody) if model.body_parentid[body] == 0]
        self._followed = roots if view.follow is None else [model.body(view.follow).id]
        self._place, self._speed = np.zeros(6), np.zeros(6)

    def cut(self, data: mujoco.MjData) -> Shot:
        """Returns the shot that the view wants of a pose, whose kinematics are in `data`, and begins there."""
        self._place, self._speed = _numbers(self._wanted(data)), np.zeros(6)
        return _shot(self._place)

    def follow(self, data: mujoco.MjData, seconds: float) -> Shot:
        """Returns the shot `seconds` after the last one, on its smooth way to the one that the view wants.

        It follows a steady motion without lag: a critically damped alpha-beta filter
        (https://en.wikipedia.org/wiki/Alpha_beta_filter).
        """
        kept = np.exp(-seconds / _CALM)
        guess = self._place + self._speed * seconds
        missed = _numbers(self._wanted(data)) - guess
        missed[_AZIMUTH] = (missed[_AZIMUTH] + 180) % 360 - 180  # the short way round
        self._place = guess + (1 - kept**2) * missed
        self._speed = self._speed + (1 - kept) ** 2 * missed / seconds
        return _shot(self._place)

    def _wanted(self, data: mujoco.MjData) -> Shot:
        view = self._view
        if view.steer is not None:
            return view.steer(data.qpos.copy())
        x, y, _ = data.xpos[self._followed].mean(0)
        from_above = -12 if view.lookat is None else -30  # degrees; steeper for a place, to show where bodies stand
        elevation = from_above if view.elevation is None else view.elevation
        return Shot(view.lookat or (x, y, 0.75), view.distance, view.azimuth, elevation)


_AZIMUTH = 4  # its place in the numbers of a shot


def _numbers(shot: Shot) -> np.ndarray:
    return np.array([*shot.lookat, shot.distance, shot.azimuth, shot.elevation], float)


def _shot(numbers: np.ndarray) -> Shot:
    x, y, z, distance, azimuth, elevation = numbers.tolist()
    return Shot((x, y, z), distance, azimuth, elevation)
