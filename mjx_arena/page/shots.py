"""Where the camera of films is in every frame of a page, and what a game changes in the model as a match goes on."""

from typing import Any

import mujoco
import numpy as np

from mjx_arena.render.camera import Camera
from mjx_arena.types import View


def shots(model: mujoco.MjModel, view: View, qpos: np.ndarray, frame_time: float) -> np.ndarray:
    """Returns the shots `[F, 6]` of the poses `qpos` `[F, nq]`, which are `frame_time` s apart, as films have them.

    A row is the point to look at (m), the distance from it (m), azimuth and elevation (degrees). The azimuth goes on
    beyond a whole turn, so that the way between two rows is the straight one.
    """
    camera, data, rows = Camera(model, view), mujoco.MjData(model), []
    for pose in qpos:
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        shot = camera.follow(data, frame_time) if rows else camera.cut(data)
        rows.append([*shot.lookat, shot.distance, shot.azimuth, shot.elevation])
    shown = np.array(rows)
    shown[:, 4] = np.unwrap(shown[:, 4], period=360)
    return shown.astype(np.float32)


def furniture(model: mujoco.MjModel, view: View, times: np.ndarray) -> dict[str, dict[int, np.ndarray]]:
    """Returns what `view` changes in a model by the `times` `[T]` s after the start of a match.

    By the name of a field, such as `site_size`, and the index of a geom or site: the values `[T, ...]`. The model is as
    before, afterwards.
    """
    if view.furnish is None:
        return {}
    fields = ("geom_size", "geom_pos", "geom_rgba", "site_size", "site_pos", "site_rgba")
    kept: dict[str, Any] = {field: getattr(model, field).copy() for field in fields}
    seen: dict[str, list[np.ndarray]] = {field: [] for field in fields}
    for time in times:
        view.furnish(model, float(time))
        for field in fields:
            seen[field].append(getattr(model, field).copy())
    for field in fields:
        getattr(model, field)[:] = kept[field]
    changes = {field: np.stack(values) for field, values in seen.items()}
    return {
        field: {int(index): values[:, index] for index in np.flatnonzero(np.ptp(values, 0).any(-1))}
        for field, values in changes.items()
    }
