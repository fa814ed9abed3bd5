"""Pictures of an arena, without a display: MuJoCo's OpenGL renderer on EGL, OSMesa or a window system."""

import importlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import mujoco
import numpy as np

from mjx_arena.trajectory import Caption
from mjx_arena.types import View

FOLLOWING = View()
_FONT, _KEY = mujoco.mjtFont.mjFONT_NORMAL, 44  # pixels of a key's side
_HELD, _FREE = (1, 0.8, 0.2, 1, 0, 0, 0), (0.2, 0.2, 0.2, 0.6, 0.7, 0.7, 0.7)  # colours of a key, and of its name
_PLATFORMS = ("egl", "osmesa", "glfw")


class RenderError(RuntimeError):
    """No way to render was found. `str()` names the packages that would help."""


def render(
    model: mujoco.MjModel,
    poses: Sequence[np.ndarray] | np.ndarray,
    width: int = 640,
    height: int = 480,
    view: View = FOLLOWING,
    captions: Iterable[Caption] | None = None,
) -> Iterator[np.ndarray]:
    """RGB frames `[height, width, 3]` uint8 of `poses` (each `[nq]`), seen from the side.

    `captions` go into the upper left corner of each frame, and their keys below.

    The platform is the first that works, or the one that the environment variable MUJOCO_GL names. Raises RenderError.
    """
    model.vis.global_.offwidth, model.vis.global_.offheight = width, height
    window, context = _open_context(model, width, height)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
    data, scene, option = mujoco.MjData(model), mujoco.MjvScene(model, maxgeom=1000), mujoco.MjvOption()
    camera, viewport = mujoco.MjvCamera(), mujoco.MjrRect(0, 0, width, height)
    camera.distance, camera.azimuth = view.distance, view.azimuth
    from_above = -12 if view.lookat is None else -30  # of a place, to see how things lie on the ground
    camera.elevation = from_above if view.elevation is None else view.elevation
    roots = [body for body in range(1, model.nbody) if model.body_parentid[body] == 0]
    followed = roots if view.follow is None else [model.body(view.follow).id]
    try:
        for pose, caption in zip(poses, captions or [Caption("", "")] * len(poses), strict=True):
            data.qpos[:] = pose
            mujoco.mj_forward(model, data)
            camera.lookat[:] = view.lookat or [*data.xpos[followed].mean(0)[:2], 0.75]
            mujoco.mjv_updateScene(model, data, option, None, camera, mujoco.mjtCatBit.mjCAT_ALL, scene)
            mujoco.mjr_render(viewport, scene, context)
            if caption.names:
                corner = mujoco.mjtGridPos.mjGRID_TOPLEFT
                mujoco.mjr_overlay(_FONT, corner, viewport, caption.names, caption.values, context)
            for index, (name, held) in enumerate(caption.keys):
                left = width // 2 + round((index - len(caption.keys) / 2) * 1.2 * _KEY)
                key = mujoco.MjrRect(left, _KEY // 2, _KEY, _KEY)
                mujoco.mjr_label(key, _FONT, name, *(_HELD if held else _FREE), context)
            frame = np.empty((height, width, 3), np.uint8)
            mujoco.mjr_readPixels(frame, None, viewport, context)
            yield frame[::-1]  # OpenGL's rows start at the bottom
    finally:
        context.free()
        window.free()


def write_film(
    path: Path,
    model: mujoco.MjModel,
    poses: np.ndarray,
    control_dt: float,
    view: View = FOLLOWING,
    captions: Sequence[Caption] | None = None,
    width: int = 640,
    height: int = 480,
    frames_per_second: float = 30,
) -> None:
    """Writes `poses` `[T, nq]`, `control_dt` seconds apart, as `.mp4` or `.gif`. Raises RenderError and OSError."""
    every = max(1, round(1 / control_dt / frames_per_second))
    shown = captions[::every] if captions is not None else None
    frames = np.stack(list(render(model, poses[::every], width, height, view, shown)))
    rate = 1 / control_dt / every
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "os.fork")  # JAX's threads have no part in the encoder that is started
        if path.suffix == ".gif":
            imageio.imwrite(path, frames, duration=1000 / rate, loop=0)
        else:
            imageio.imwrite(path, frames, fps=rate)


def _open_context(model: mujoco.MjModel, width: int, height: int) -> tuple[Any, mujoco.MjrContext]:
    """A current OpenGL context, and the model's drawing context in it.

    MuJoCo's own renderer would have fixed its platform when it was imported.
    """
    chosen = os.environ.get("MUJOCO_GL")
    tried = []
    for platform in [chosen] if chosen in _PLATFORMS else _PLATFORMS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # GLFW only warns where there is no display, and goes on
                window = importlib.import_module(f"mujoco.{platform}").GLContext(width, height)
                window.make_current()
            context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        except Exception as error:
            tried.append(f"{platform}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
        else:
            return window, context
    raise RenderError(
        f"no renderer works here ({'; '.join(tried)}); install EGL (Debian: libegl1 libegl-mesa0 libgl1-mesa-dri) or "
        "OSMesa (Debian: libosmesa6)"
    )
