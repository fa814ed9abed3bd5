"""Steps MuJoCo's C engine, and measures how far another engine is from it."""

import mujoco
import numpy as np


def c_step(model, qpos, qvel, ctrl, n_substeps=1, applied=None):
    """Returns `MjData` after `n_substeps` steps from a state, with `applied` generalised forces."""
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, ctrl
    if applied is not None:
        data.qfrc_applied[:] = applied
    mujoco.mj_step(model, data, n_substeps)
    return data


def relative_error(actual, expected):
    """Returns the largest deviation in each row, divided by the row's largest number or 1, whichever is larger.

    A contact couples all speeds of a state, so the rounding errors of the fastest part reach every other one: a number
    close to 0 next to large ones cannot be exact to 1e-3 of itself in float32.
    """
    return np.abs(actual - expected).max(1) / np.maximum(np.abs(expected).max(1), 1)
