"""Where the bodies of a film are: MuJoCo's kinematics of its poses, in 16 bits a number."""

from typing import NamedTuple

import mujoco
import numpy as np

_LONGEST_STEP = 1 / 30  # s between two frames; bodies of a joint part visibly on a longer straight way
_JUMP, _SUDDEN = 0.5, 4  # m; and how many times as far as in the steps before and after


class Poses(NamedTuple):
    """F frames of B bodies."""

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


def poses(model: mujoco.MjModel, qpos: np.ndarray, per_step: int) -> Poses:
    """Returns the poses of all bodies at `qpos` `[T + 1, nq]`, with `per_step` frames to a control step.

    Frames within a step are on the straight way in the space of the joints, so that limbs stay together. A body that is
    put elsewhere stays until the step is over.
    """
    known = _kinematics(model, qpos)
    jumps = np.zeros(known[0].shape[:2], bool)
    jumps[1:] = _jumps(known[0])
    if per_step == 1:
        return Poses(*known, jumps)
    position, quaternion = _kinematics(model, _filled(model, qpos, per_step))
    filled_jumps = np.zeros(position.shape[:2], bool)
    filled_jumps[::per_step] = jumps
    for step, body in np.argwhere(jumps):
        held = slice((step - 1) * per_step + 1, step * per_step)
        position[held, body], quaternion[held, body] = known[0][step - 1, body], known[1][step - 1, body]
    return Poses(position, _same_sign(quaternion), filled_jumps)


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


def _kinematics(model: mujoco.MjModel, qpos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns positions `[F, nbody, 3]` and quaternions `[F, nbody, 4]` at `qpos` `[F, nq]`."""
    data = mujoco.MjData(model)
    position, quaternion = np.empty((len(qpos), model.nbody, 3)), np.empty((len(qpos), model.nbody, 4))
    for index, pose in enumerate(qpos):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        position[index], quaternion[index] = data.xpos, data.xquat
    return position, _same_sign(quaternion)


def _same_sign(quaternion: np.ndarray) -> np.ndarray:
    """Returns the same turns `[F, B, 4]`, of which none is more than half a turn from the one before it."""
    against = (quaternion[1:] * quaternion[:-1]).sum(-1) < 0
    turned = np.concatenate([np.zeros_like(against[:1]), np.cumsum(against, 0) % 2 == 1])
    return np.where(turned[..., None], -quaternion, quaternion)


def _filled(model: mujoco.MjModel, qpos: np.ndarray, per_step: int) -> np.ndarray:
    """Returns `qpos` `[T * per_step + 1, nq]` with further poses between each two of `[T + 1, nq]`."""
    filled, change = (
        np.repeat(np.asarray(qpos, np.float64), per_step, 0)[: (len(qpos) - 1) * per_step + 1],
        np.empty(model.nv),
    )
    for index, pose in enumerate(filled):
        step, part = divmod(index, per_step)
        if part:
            mujoco.mj_differentiatePos(model, change, 1, qpos[step], qpos[step + 1])
            mujoco.mj_integratePos(model, pose, change, part / per_step)
    return filled


def _jumps(position: np.ndarray) -> np.ndarray:
    """Returns which bodies were put elsewhere in each step `[T, B]`, from positions `[T + 1, B, 3]`.

    These go far in one step, and not in those around it. A ball that is hit goes on.
    """
    gone = np.linalg.norm(np.diff(position, axis=0), axis=-1)
    around = np.zeros_like(gone)
    around[1:] = gone[:-1]
    around[:-1] = np.maximum(around[:-1], gone[1:])
    return (gone > _JUMP) & (gone > _SUDDEN * around)
