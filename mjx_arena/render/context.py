"""A place to draw without a display: an OpenGL context on EGL, OSMesa or a window system, and the way to its pixels."""

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from mjx_arena import opengl
from mjx_arena.render.shadows import Window
from mjx_arena.validation import SettingError

# Pixels drawn for each pixel of a picture, along each side. It costs a CPU a third of OpenGL's multisampling, which
# smooths the edges of bodies alone, and not those within textures and shadows.
_FINER = 1.25
_SHADOW_MAP = 1024  # pixels of its side, around what the camera looks at; MuJoCo's 4096 take most of a CPU's time


class RenderError(RuntimeError):
    """No renderer works on this machine. `str()` says what would help."""


class Canvas:
    """An OpenGL context for pictures of `width` x `height` pixels of one model.

    Uses the platform that the environment variable MUJOCO_GL names, or else the first that works. Raises RenderError.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int):
        self.width, self.height = width, height
        self.drawn = mujoco.MjrRect(0, 0, round(_FINER * width), round(_FINER * height))
        model.vis.global_.offwidth, model.vis.global_.offheight = self.drawn.width, self.drawn.height
        model.vis.quality.shadowsize, model.vis.quality.offsamples = _SHADOW_MAP, 0
        self._window, self.context = _open_context(model, self.drawn.width, self.drawn.height)
        self._gl = gl = importlib.import_module("OpenGL.GL")  # for the platform that works
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.context)
        self._picture = gl.glGenFramebuffers(1)
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._picture)
        gl.glBindRenderbuffer(gl.GL_RENDERBUFFER, gl.glGenRenderbuffers(1))
        gl.glRenderbufferStorage(gl.GL_RENDERBUFFER, gl.GL_RGBA8, width, height)
        place, buffer = gl.GL_COLOR_ATTACHMENT0, gl.glGetIntegerv(gl.GL_RENDERBUFFER_BINDING)
        gl.glFramebufferRenderbuffer(gl.GL_FRAMEBUFFER, place, gl.GL_RENDERBUFFER, buffer)

    def take(self, scene: mujoco.MjvScene, shadowed: Sequence[Window]) -> np.ndarray:
        """Draws `scene`, with shadows in some parts of it, and returns it as RGB `[height, width, 3]` uint8."""
        gl, size = self._gl, (self.drawn.width, self.drawn.height)
        mujoco.mjr_restoreBuffer(self.context)
        if not any((part.width, part.height) == size for part in shadowed):
            scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
            mujoco.mjr_render(self.drawn, scene, self.context)
            scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = True
        for part in shadowed:
            for camera in scene.camera:
                left, right, camera.frustum_bottom, camera.frustum_top = part.edges
                camera.frustum_center = (left + right) / 2
            mujoco.mjr_render(mujoco.MjrRect(*part[:4]), scene, self.context)
        gl.glBindFramebuffer(gl.GL_DRAW_FRAMEBUFFER, self._picture)
        # Upside down, since OpenGL's rows start at the bottom.
        gl.glBlitFramebuffer(0, 0, *size, 0, self.height, self.width, 0, gl.GL_COLOR_BUFFER_BIT, gl.GL_LINEAR)
        gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, self._picture)
        frame = np.empty((self.height, self.width, 3), np.uint8)
        gl.glPixelStorei(gl.GL_PACK_ALIGNMENT, 1)
        gl.glReadPixels(0, 0, self.width, self.height, gl.GL_RGB, gl.GL_UNSIGNED_BYTE, frame)
        return frame

    def close(self) -> None:
        """Frees the context and what belongs to it."""
        self.context.free()
        self._window.free()


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
