"""What a viewer draws of an arena: its model with an eye, whose place the camera looks at."""

import mujoco
import numpy as np

from league.watch.match import Frame
from mjx_arena.arena import Arena
from mjx_arena.types import View

EYE = "eye"
_SMOOTH = 0.1  # share of the way to what it follows that the eye goes in a frame


class Stage:
    """The drawn model of an arena and its data."""

    def __init__(self, arena: Arena):
        self.view = arena.view
        if arena.mj_spec is None:
            self.model = arena.mj_model
        else:
            spec = arena.mj_spec.copy()
            spec.worldbody.add_body(name=EYE, mocap=True)  # the only body a browser's camera can be told to follow
            self.model = spec.compile()
        self._eye = None if arena.mj_spec is None else int(self.model.body_mocapid[self.model.body(EYE).id])
        self.data = mujoco.MjData(self.model)
        self._bodies = mujoco.MjData(self.model)
        roots = [body for body in range(1, self.model.nbody) if self.model.body_parentid[body] == 0]
        roots = [body for body in roots if self.model.body_mocapid[body] < 0]
        self._followed = roots if self.view.follow is None else [self.model.body(self.view.follow).id]
        self._velocity = np.zeros(self.model.nv)

    def pose(self, data: mujoco.MjData, before: Frame, frame: Frame, part: float) -> None:
        """Sets `data` to a place between two frames: `part` of the way from `before` to `frame`."""
        if 0 < part < 1 and before.number + 1 == frame.number and frame.time > 0:
            mujoco.mj_differentiatePos(self.model, self._velocity, 1.0, before.qpos, frame.qpos)
            data.qpos[:] = before.qpos
            mujoco.mj_integratePos(self.model, data.qpos, self._velocity, part)
        else:
            data.qpos[:] = frame.qpos
        data.time = before.time + part * (frame.time - before.time) if frame.time > before.time else frame.time
        if self._eye is not None:
            place = data.mocap_pos[self._eye]
            place += (self._looked_at(data) - place) * (1.0 if frame.time == 0 else _SMOOTH)

    def _looked_at(self, data: mujoco.MjData) -> np.ndarray:
        if self.view.lookat is not None:
            return np.array(self.view.lookat)
        self._bodies.qpos[:] = data.qpos
        mujoco.mj_kinematics(self.model, self._bodies)
        return np.array([*self._bodies.xpos[self._followed].mean(0)[:2], 0.75])


def aim(camera: mujoco.MjvCamera, model: mujoco.MjModel, view: View) -> None:
    """Aims `camera` as `view` says, at the eye of a stage's model if that has one."""
    mujoco.mjv_defaultFreeCamera(model, camera)
    camera.distance, camera.azimuth = view.distance, view.azimuth
    from_above = -12 if view.lookat is None else -30
    camera.elevation = from_above if view.elevation is None else view.elevation
    eye = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, EYE)
    if eye >= 0:
        camera.type, camera.trackbodyid = mujoco.mjtCamera.mjCAMERA_TRACKING, eye
