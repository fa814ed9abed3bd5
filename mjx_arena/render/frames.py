"""Frames of an arena: poses and captions in, pixels out, one at a time."""

from collections.abc import Generator, Iterable
from typing import NamedTuple

import mujoco
import numpy as np

from mjx_arena.render.camera import Camera
from mjx_arena.render.caption import Caption
from mjx_arena.render.context import Canvas
from mjx_arena.render.overlay import Overlay
from mjx_arena.render.shadows import Shadows
from mjx_arena.types import View

FOLLOWING = View()
_MOST_GEOMS = 2000  # of a scene


class Moment(NamedTuple):
    """What a frame shows."""

    pose: np.ndarray  # [nq]
    time: float = 0.0  # s since the match began
    caption: Caption | None = None
    begins: bool = True  # a shot: the camera does not come from where it was in the frame before


def render(
    model: mujoco.MjModel, poses: Iterable[np.ndarray], width: int = 640, height: int = 480, view: View = FOLLOWING
) -> Generator[np.ndarray]:
    """Yields an RGB picture `[height, width, 3]` uint8 of each of `poses` `[nq]`. Raises RenderError."""
    return draw(model, (Moment(pose) for pose in poses), width, height, view)


def draw(
    model: mujoco.MjModel, moments: Iterable[Moment], width: int, height: int, view: View = FOLLOWING
) -> Generator[np.ndarray]:
    """Yields an RGB frame `[height, width, 3]` uint8 of each of `moments`, seen as `view` says. Raises RenderError."""
    canvas = Canvas(model, width, height)
    try:
        data, scene, option = mujoco.MjData(model), mujoco.MjvScene(model, _MOST_GEOMS), mujoco.MjvOption()
        camera, lens, shadows, overlay = Camera(model, view), mujoco.MjvCamera(), Shadows(model), Overlay(width, height)
        before = 0.0
        for moment in moments:
            if view.furnish is not None:
                view.furnish(model, moment.time)
            data.qpos[:] = moment.pose
            mujoco.mj_forward(model, data)
            began = moment.begins or moment.time <= before
            shot = camera.cut(data) if began else camera.follow(data, moment.time - before)
            before = moment.time
            lens.lookat[:], lens.distance, lens.azimuth, lens.elevation = shot
            mujoco.mjv_updateScene(model, data, option, None, lens, mujoco.mjtCatBit.mjCAT_ALL, scene)
            shadows.focus(scene, canvas.context, np.array(shot.lookat), shot.distance)
            frame = canvas.take(scene, shadows.windows(scene, data, canvas.drawn.width, canvas.drawn.height))
            if moment.caption is not None:
                overlay.write(frame, moment.caption)
            yield frame
    finally:
        canvas.close()
