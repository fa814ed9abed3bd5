"""Pictures of an arena, without a display: MuJoCo's OpenGL renderer on EGL, OSMesa or a window system."""

import contextlib
import importlib
import itertools
import math
import warnings
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import imageio.v2
import imageio_ffmpeg
import mujoco
import numpy as np
from PIL import GifImagePlugin, Image

from mjx_arena import opengl
from mjx_arena.drafts import draft_of
from mjx_arena.trajectory import Caption
from mjx_arena.types import View
from mjx_arena.validation import SettingError

FOLLOWING = View()
_FONT, _KEY = mujoco.mjtFont.mjFONT_NORMAL, 44  # pixels of a key's side
_HELD, _FREE = (1, 0.8, 0.2, 1, 0, 0, 0), (0.2, 0.2, 0.2, 0.6, 0.7, 0.7, 0.7)  # colours of a key, and of its name
_SHORTEST = 0.02  # s of a GIF's frame; browsers show shorter ones for 0.1 s


class RenderError(RuntimeError):
    """No renderer works on this machine. `str()` says what would help."""


def render(
    model: mujoco.MjModel,
    poses: Iterable[np.ndarray],
    width: int = 640,
    height: int = 480,
    view: View = FOLLOWING,
    captions: Iterable[Caption] | None = None,
) -> Generator[np.ndarray]:
    """Yields an RGB frame `[height, width, 3]` uint8 of each of `poses` `[nq]`, seen as `view` says.

    `captions`, one for each pose, are written in the upper left corner, their keys at the bottom of the frame.

    Uses the platform that the environment variable MUJOCO_GL names, or else the first that works. Raises RenderError.
    """
    model.vis.global_.offwidth, model.vis.global_.offheight = width, height
    window, context = _open_context(model, width, height)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
    data, scene, option = mujoco.MjData(model), mujoco.MjvScene(model, maxgeom=1000), mujoco.MjvOption()
    camera, viewport = mujoco.MjvCamera(), mujoco.MjrRect(0, 0, width, height)
    camera.distance, camera.azimuth = view.distance, view.azimuth
    from_above = -12 if view.lookat is None else -30  # degrees; steeper for a place, to show where bodies stand
    camera.elevation = from_above if view.elevation is None else view.elevation
    roots = [body for body in range(1, model.nbody) if model.body_parentid[body] == 0]
    followed = roots if view.follow is None else [model.body(view.follow).id]
    captioned = zip(poses, itertools.repeat(Caption("", ""))) if captions is None else zip(poses, captions, strict=True)
    try:
        for pose, caption in captioned:
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
    captions: Iterable[Caption] | None = None,
    width: int = 640,
    height: int = 480,
    frames_per_second: float = 30,
) -> None:
    """Writes `poses` `[T, nq]`, `control_dt` seconds apart, as `.mp4` or `.gif`, which plays as long as they took.

    Shows every k-th pose, with the k that comes closest to `frames_per_second`. The last frame of an `.mp4` may last
    too long, since all its frames last the same. Draws and writes one frame at a time, and takes `captions`, one for
    each pose, only when they are needed. Raises RenderError and OSError.
    """
    is_gif = path.suffix == ".gif"
    every = max(1, round(1 / control_dt / frames_per_second))
    if is_gif:
        every = max(every, math.ceil(round(_SHORTEST / control_dt, 6)))
    shown = np.arange(0, len(poses), every)
    if is_gif and len(shown) > 1 and (len(poses) - shown[-1]) * control_dt < _SHORTEST:
        shown = shown[:-1]
    if captions is not None:
        captions = itertools.islice(captions, 0, shown[-1] + 1, every)
    frames = render(model, poses[shown], width, height, view, captions)
    with contextlib.closing(frames), draft_of(path) as draft:
        if is_gif:
            _write_gif(draft, frames, _hundredths(np.append(shown, len(poses)) * control_dt))
        else:
            _write_mp4(draft, frames, 1 / control_dt / every)


def write_stills(path: Path, model: mujoco.MjModel, poses: np.ndarray, view: View = FOLLOWING, size: int = 320) -> None:
    """Writes `poses` `[N, nq]` side by side as one picture, in squares of `size` pixels.

    Raises RenderError and OSError.
    """
    strip = np.empty((size, len(poses), size, 3), np.uint8)
    for index, frame in enumerate(render(model, poses, size, size, view)):
        strip[:, index] = frame
    with draft_of(path) as draft:
        imageio.v2.imwrite(draft, strip.reshape(size, -1, 3))


def _hundredths(times: np.ndarray) -> list[int]:
    """Returns the gaps between `times` `[N + 1]` s in 1/100 s `[N]`, the unit of GIFs; only their sum is rounded."""
    return np.diff(np.round(100 * times)).astype(int).tolist()


def _write_gif(path: Path, frames: Iterable[np.ndarray], delays: Iterable[int]) -> None:
    """Writes `frames`, each shown for its delay in 1/100 s. Pillow's and imageio's writers would keep all in memory."""
    with path.open("wb") as file:
        for index, (frame, delay) in enumerate(zip(frames, delays, strict=True)):
            image = Image.fromarray(frame).convert("P", palette=Image.Palette.ADAPTIVE)
            if index == 0:
                header, _ = GifImagePlugin.getheader(image, info={"loop": 0})
                file.writelines(header)
            own_colours = index > 0  # the first frame's are in the header
            file.writelines(GifImagePlugin.getdata(image, duration=10 * delay, include_color_table=own_colours))
        file.write(b";")


def _write_mp4(path: Path, frames: Iterable[np.ndarray], rate: float) -> None:
    """Writes `frames` at `rate` frames per second. Raises OSError."""
    path.touch()  # its error says what is wrong with the path; the encoder would just exit
    written = 0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "os.fork")  # the child only runs the encoder, so JAX's threads do not matter
        writer: Any = imageio.v2.get_writer(path, fps=rate, ffmpeg_log_level="quiet")
        with writer:
            for frame in frames:
                try:
                    writer.append_data(frame)
                except OSError as error:
                    raise OSError("the encoder ended before the film did") from error
                written += 1
        try:
            found, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
        except RuntimeError:
            found = 0
    if found != written:  # imageio does not say how the encoder ended
        raise OSError(f"the encoder wrote {found} of {written} frames")


def _open_context(model: mujoco.MjModel, width: int, height: int) -> tuple[Any, mujoco.MjrContext]:
    """Opens an OpenGL context, makes it current and returns it with the model's drawing context.

    MuJoCo's own `Renderer` is no use here: it fixes its platform when MuJoCo is imported.
    """
    try:
        platforms = opengl.platforms()
    except SettingError as error:
        raise RenderError(str(error)) from error
    tried, named = [], "MUJOCO_GL=" if len(platforms) == 1 else ""
    for platform in platforms:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # GLFW only warns where there is no display, and goes on
                window = opengl.load(platform)(width, height)
                window.make_current()
                if platform == "glfw" and not importlib.import_module("glfw").get_current_context():
                    raise RuntimeError("there is no display")  # without a window MuJoCo aborts at its second attempt
            context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        except Exception as error:
            tried.append(f"{named}{platform}: {opengl.first_line(error)}")
        else:
            return window, context
    raise RenderError(
        f"no renderer works here ({'; '.join(tried)}); install EGL (Debian: {opengl.EGL_PACKAGES}) and unset "
        f"MUJOCO_GL, or install OSMesa (Debian: {opengl.OSMESA_PACKAGES}) and set MUJOCO_GL=osmesa"
    )
