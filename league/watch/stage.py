"""What a viewer draws of an arena: its model, with bodies that the viewer's camera can be tied to."""

from typing import NamedTuple

import mujoco
import numpy as np

from league.watch.match import Frame
from mjx_arena.arena import Arena
from mjx_arena.render.camera import Camera
from mjx_arena.types import Shot, View

_EYE, _SHOT = "eye", "shot"  # the point that the camera looks at, and the camera as films have it


class Prop(NamedTuple):
    """A shape of the drawn world that changes in the course of a match; a viewer draws it anew in every frame."""

    type: int
    size: tuple[float, ...]
    position: tuple[float, ...]
    rotation: tuple[float, ...]  # matrix, by rows
    colour: tuple[float, ...]  # RGBA


class Stage:
    """The drawn model of an arena and its data."""

    def __init__(self, arena: Arena):
        self.view, self._drawn = arena.view, arena.mj_model
        self._changing = _changing(arena)
        if arena.mj_spec is None:
            self.model = arena.mj_model
        else:
            spec = arena.mj_spec.copy()
            for name in (_EYE, _SHOT):  # a browser's camera follows bodies alone
                body = spec.worldbody.add_body(name=name, mocap=True)
            body.add_camera(name=_SHOT)
            for name in self._changing:
                spec.site(name).rgba[3] = 0
            self.model = spec.compile()
        self.data, self._places = mujoco.MjData(self.model), mujoco.MjData(self._drawn)
        self._camera = Camera(self._drawn, self.view)
        self._velocity, self._shown_at = np.zeros(self.model.nv), 0.0

    def pose(self, data: mujoco.MjData, before: Frame, frame: Frame, part: float, now: float) -> tuple[Prop, ...]:
        """Sets `data` to a place between two frames, `part` of the way from `before` to `frame`; returns the props.

        `now` is the viewer's time, s, by which its camera moves.
        """
        follows = before.number + 1 == frame.number and frame.time > 0
        if follows and part < 1:
            mujoco.mj_differentiatePos(self.model, self._velocity, 1.0, before.qpos, frame.qpos)
            data.qpos[:] = before.qpos
            mujoco.mj_integratePos(self.model, data.qpos, self._velocity, part)
            data.time = before.time + part * (frame.time - before.time)
        else:
            data.qpos[:], data.time = frame.qpos, frame.time
        if data.mocap_pos.size:
            self._look(data, now, cut=not follows)
        return self._props(data.time)

    def _look(self, data: mujoco.MjData, now: float, cut: bool) -> None:
        """Moves what the camera is tied to."""
        self._places.qpos[:] = data.qpos
        mujoco.mj_kinematics(self._drawn, self._places)
        passed, self._shown_at = now - self._shown_at, now
        shot = (
            self._camera.cut(self._places) if cut or not 0 < passed < 1 else self._camera.follow(self._places, passed)
        )
        data.mocap_pos[0] = shot.lookat
        data.mocap_pos[1], data.mocap_quat[1] = _standing(shot)

    def _props(self, time: float) -> tuple[Prop, ...]:
        if not self._changing:
            return ()
        assert self.view.furnish is not None
        self.view.furnish(self._drawn, time)
        props = []
        for name in self._changing:
            site, rotation = self._drawn.site(name), np.zeros(9)
            mujoco.mju_quat2Mat(rotation, site.quat)
            shape = (int(site.type[0]), tuple(site.size), tuple(site.pos), tuple(rotation), tuple(site.rgba))
            props.append(Prop(*shape))
        return tuple(props)


def aim(camera: mujoco.MjvCamera, model: mujoco.MjModel, view: View, as_filmed: bool) -> None:
    """Aims `camera` at a stage's model: as films do, or free to be turned about what `view` looks at."""
    mujoco.mjv_defaultFreeCamera(model, camera)
    eye, shot = (mujoco.mj_name2id(model, kind, name) for kind, name in _TIED)
    if shot >= 0 and as_filmed:
        camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, shot
        return
    camera.distance, camera.azimuth = view.distance, view.azimuth
    from_above = -12 if view.lookat is None else -30
    camera.elevation = from_above if view.elevation is None else view.elevation
    if eye >= 0:
        camera.type, camera.trackbodyid = mujoco.mjtCamera.mjCAMERA_TRACKING, eye


_TIED = ((mujoco.mjtObj.mjOBJ_BODY, _EYE), (mujoco.mjtObj.mjOBJ_CAMERA, _SHOT))


def _changing(arena: Arena) -> list[str]:
    """Returns the names of the sites that the arena's view changes in the course of a match."""
    if arena.view.furnish is None or arena.mj_spec is None:
        return []
    before = arena.mj_model.site_size.copy()
    arena.view.furnish(arena.mj_model, arena.time_limit * arena.control_dt)
    changed = np.flatnonzero((arena.mj_model.site_size != before).any(1))
    return [arena.mj_model.site(int(index)).name for index in changed]


def _standing(shot: Shot) -> tuple[np.ndarray, np.ndarray]:
    """Returns place `[3]` and quaternion `[4]` of a camera, which looks along its own -z with y up."""
    azimuth, elevation = np.radians([shot.azimuth, shot.elevation])
    ahead = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([right, np.cross(right, ahead), -ahead], 1).reshape(-1))
    return np.array(shot.lookat) - shot.distance * ahead, quat
