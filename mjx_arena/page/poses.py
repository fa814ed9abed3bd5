"""Where the bodies of a film and its camera are: MuJoCo's kinematics of its poses, bodies in 16 bits a number."""

from typing import NamedTuple

import mujoco
import numpy as np

from mjx_arena.render.camera import Camera
from mjx_arena.render.timeline import Timeline
from mjx_arena.types import View

_LONGEST_STEP = 1 / 30  # s between two frames; bodies of a joint part visibly on a longer straight way


class Poses(NamedTuple):
    """F frames of B bodies."""

    position: np.ndarray  # [F, B, 3] m
    quaternion: np.ndarray  # [F, B, 4] w, x, y, z; neighbours in time have the same sign
    jumps: np.ndarray  # [F, B] bool: the body was put here, and did not come here from the frame before
    shots: (
        np.ndarray
    )  # [F, 6] float32, of the camera: point to look at (3, m), distance (m), azimuth, elevation (degrees)


class Packed(NamedTuple):
    """Poses of M moving bodies as whole numbers."""

    position: np.ndarray  # [F, M, 3] uint16, from `low` at 0 to `high` at 65535
    low: np.ndarray  # [M, 3] float32, m
    high: np.ndarray  # [M, 3] float32, m
    quaternion: np.ndarray  # [F, M, 4] int16, from -1 at -32767 to 1 at 32767
    jumps: np.ndarray  # [F, M] uint8


def frames_per_step(control_dt: float) -> int:
    """Returns how many frames a control step of `control_dt` s takes."""
    return max(1, int(np.ceil(control_dt / _LONGEST_STEP - 1e-6)))


def poses(model: mujoco.MjModel, view: View, qpos: np.ndarray, control_dt: float, per_step: int) -> Poses:
    """Returns bodies and camera at `qpos` `[T + 1, nq]`, with `per_step` frames to a control step.

    Frames within a step are those that a film would show, in which limbs stay together. Azimuths go on beyond a whole
    turn, so that the way between two frames is the straight one.
    """
    line, steps, frame_time = Timeline(model, qpos, control_dt), len(qpos) - 1, control_dt / per_step
    num, data, camera = steps * per_step + 1, mujoco.MjData(model), Camera(model, view)
    position, quaternion = np.empty((num, model.nbody, 3)), np.empty((num, model.nbody, 4))
    shots = np.empty((num, 6))
    for frame in range(num):
        data.qpos[:] = line.at(frame * frame_time)
        mujoco.mj_kinematics(model, data)
        position[frame], quaternion[frame] = data.xpos, data.xquat
        shot = camera.follow(data, frame_time) if frame else camera.cut(data)
        shots[frame] = *shot.lookat, shot.distance, shot.azimuth, shot.elevation
    shots[:, 4] = np.unwrap(shots[:, 4], period=360)
    jumps = np.zeros(position.shape[:2], bool)
    for step in range(steps):
        jumps[(step + 1) * per_step] = line.put_elsewhere(step)
    return Poses(position, _same_sign(quaternion), jumps, shots.astype(np.float32))


def moving(episodes: list[Poses]) -> np.ndarray:
    """Returns the indices `[M]` of the bodies that move, or are elsewhere in another episode."""
    position, quaternion = (np.concatenate([getattr(one, name) for one in episodes]) for name in Poses._fields[:2])
    return np.flatnonzero(np.ptp(position, 0).any(-1) | np.ptp(quaternion, 0).any(-1))


def pack(one: Poses, bodies: np.ndarray) -> Packed:
    """Returns the poses of `bodies` `[M]` as whole numbers."""
    position = one.position[:, bodies]
    low, high = position.min(0).astype(np.float32), position.max(0).astype(np.float32)
    share = (position - low) / np.maximum(high - low, np.float32(1e-9))
    return Packed(
        np.round(np.clip(share, 0, 1) * 65535).astype(np.uint16),
        low,
        high,
        np.round(one.quaternion[:, bodies] * 32767).astype(np.int16),
        one.jumps[:, bodies].astype(np.uint8),
    )


def _same_sign(quaternion: np.ndarray) -> np.ndarray:
    """Returns the same turns `[F, B, 4]`, of which none is more than half a turn from the one before it."""
    against = (quaternion[1:] * quaternion[:-1]).sum(-1) < 0
    turned = np.concatenate([np.zeros_like(against[:1]), np.cumsum(against, 0) % 2 == 1])
    return np.where(turned[..., None], -quaternion, quaternion)
