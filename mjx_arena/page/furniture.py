"""What a game changes in its model as a match goes on, such as the size of a ring."""

from typing import Any

import mujoco
import numpy as np

from mjx_arena.types import View


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
