"""MuJoCo's C engine, and how far from it another one is."""

import mujoco
import numpy as np


def c_step(model, qpos, qvel, ctrl, n_substeps=1, applied=None):
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, ctrl
    if applied is not None:
        data.qfrc_applied[:] = applied
    mujoco.mj_step(model, data, n_substeps)
    return data


def relative_error(found, expected):
    """Largest deviation of each row over the row's largest number, or over 1 where all are smaller.

    A contact couples all speeds of a state, so the rounding errors of the fastest part reach every other one: a number
    close to 0 next to large ones cannot be exact to 1e-3 of itself in float32.
    """
    return np.abs(found - expected).max(1) / np.maximum(np.abs(expected).max(1), 1)
