"""Where the bodies of a film are: MuJoCo's kinematics of its poses, in 16 bits a number."""

from typing import NamedTuple

import mujoco
import numpy as np

from mjx_arena.render.timeline import Timeline

_LONGEST_STEP = 1 / 30  # s between two frames; bodies of a joint part visibly on a longer straight way


class Poses(NamedTuple):
    """F frames of B bodies."""

    qpos: np.ndarray  # [F, nq]
    position: np.ndarray  # [F, B, 3] m
    quaternion: np.ndarray  # [F, B, 4] w, x, y, z; neighbours in time have the same sign
    jumps: np.ndarray  # [F, B] bool: the body was put here, and did not come here from the frame before


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


def poses(model: mujoco.MjModel, qpos: np.ndarray, control_dt: float, per_step: int) -> Poses:
    """Returns the poses of all bodies at `qpos` `[T + 1, nq]`, with `per_step` frames to a control step.

    Frames within a step are those that a film would show, in which limbs stay together.
    """
    line, steps = Timeline(model, qpos, control_dt), len(qpos) - 1
    filled = np.stack([line.at(frame * control_dt / per_step) for frame in range(steps * per_step + 1)])
    data = mujoco.MjData(model)
    position, quaternion = np.empty((len(filled), model.nbody, 3)), np.empty((len(filled), model.nbody, 4))
    for index, pose in enumerate(filled):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        position[index], quaternion[index] = data.xpos, data.xquat
    jumps = np.zeros((len(filled), model.nbody), bool)
    for step in range(steps):
        jumps[(step + 1) * per_step] = line.put_elsewhere(step)
    return Poses(filled, position, _same_sign(quaternion), jumps)


def moving(episodes: list[Poses]) -> np.ndarray:
    """Returns the indices `[M]` of the bodies that move, or are elsewhere in another episode."""
    position, quaternion = (np.concatenate([getattr(one, name) for one in episodes]) for name in Poses._fields[1:3])
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
