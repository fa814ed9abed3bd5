"""Shadows where they are: the rectangle of a picture that holds all bodies and their shadows.

With shadows MuJoCo draws every pixel twice, which takes a CPU longer than all else. So a picture is drawn without, and
the rectangle once more with them. Where shadows may be anywhere the rectangle is the picture.
"""

from typing import NamedTuple

import mujoco
import numpy as np

_SHADOWED = 1.5  # distances of the camera around the point that it looks at, within which the sun casts shadows
_MARGIN = 2  # pixels


class Window(NamedTuple):
    """A part of a picture, in pixels from its lower left corner, and the camera's frustum for it."""

    left: int
    bottom: int
    width: int
    height: int
    edges: tuple[float, float, float, float]  # m on the near plane: left, right, bottom, top


class Shadows:
    """The shadows of one model's pictures."""

    def __init__(self, model: mujoco.MjModel):
        self._moving = (model.body_weldid[model.geom_bodyid] > 0) & (model.geom_rbound > 0)
        self._radius = model.geom_rbound[self._moving]
        fixed, plane = ~self._moving, model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE
        if hasattr(model, "geom_castshadow"):  # MuJoCo 4: the ground casts none, and would only take time
            model.geom_castshadow[plane] = False
            fixed &= model.geom_castshadow.astype(bool)
        else:
            fixed &= ~plane
        # Shadows of what stands fixed, or is soft, may be anywhere.
        self._anywhere = bool(fixed.any() or model.nskin or model.nflex)
        self._ground = float(model.geom_pos[plane & (model.geom_bodyid == 0), 2].min(initial=0))

    def focus(self, scene: mujoco.MjvScene, context: mujoco.MjrContext, lookat: np.ndarray, distance: float) -> None:
        """Lets directional lights cast their shadows around `lookat` alone, so that the shadow map is sharp there."""
        context.shadowClip = _SHADOWED * distance
        for light in _casting(scene):
            if light.type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL:
                light.pos[:] = lookat - context.shadowClip * light.dir

    def window(self, scene: mujoco.MjvScene, data: mujoco.MjData, width: int, height: int) -> Window:
        """Returns the part with shadows of a picture of `width` x `height` pixels; its size is 0 if there are none."""
        camera, pixels = scene.camera[0], np.array([width, height])
        top, bottom = camera.frustum_top, camera.frustum_bottom
        half = (top - bottom) / 2 * width / height
        low, size = np.array([-half, bottom]), np.array([2 * half, top - bottom])
        first, last = np.zeros(2, int), pixels
        places = self._places(scene, data)
        ends = None if places is None else _on_near_plane(scene, *places)
        if ends is not None:
            share = (ends - low) / size * pixels
            first = np.clip(np.floor(share.min(0)) - _MARGIN, 0, pixels).astype(int)
            last = np.clip(np.ceil(share.max(0)) + _MARGIN, 0, pixels).astype(int)
        (left, under), (right, over) = low + size * first / pixels, low + size * last / pixels
        (column, row), (wide, high) = first.tolist(), (last - first).tolist()
        return Window(column, row, wide, high, (left, right, under, over))

    def _places(self, scene: mujoco.MjvScene, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns spheres `[n, 3]`, `[n]` around what moves and its shadows on the ground; None if they are anywhere.

        A shadow lies between a body and its shadow on the ground, or on another body.
        """
        lights = _casting(scene)
        sunny = all(light.type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL and light.dir[2] < -0.2 for light in lights)
        if self._anywhere or not sunny:
            return None
        bodies = data.geom_xpos[self._moving]
        centres = [bodies]
        for light in lights:
            way = np.array(light.dir, float)
            centres.append(bodies - np.outer((bodies[:, 2] - self._ground) / way[2], way))
        # A sphere's shadow on the ground is longer than the sphere, the lower the sun.
        longest = 1 / min([1.0, *(abs(float(light.dir[2])) for light in lights)])
        return np.concatenate(centres), np.tile(self._radius * longest, len(centres))


def _on_near_plane(scene: mujoco.MjvScene, centres: np.ndarray, radii: np.ndarray) -> np.ndarray | None:
    """Returns corners `[4 n, 2]` around the pictures of spheres on the near plane, m; None if one reaches behind it."""
    first, second = scene.camera
    eye, ahead, up = (np.array(first.pos) + np.array(second.pos)) / 2, np.array(first.forward), np.array(first.up)
    seen = (centres - eye) @ np.stack([np.cross(ahead, up), up, ahead], 1)
    nearest = seen[:, 2] - radii
    if (nearest < first.frustum_near).any():
        return None
    ends = [(seen[:, :2] + sign * radii[:, None]) / nearest[:, None] for sign in (-1, 1)]
    # What is left of the middle of the picture is even more so at its near end, so its right end needs the far one.
    ends += [(seen[:, :2] + sign * radii[:, None]) / (seen[:, 2] + radii)[:, None] for sign in (-1, 1)]
    return first.frustum_near * np.concatenate(ends)


def _casting(scene: mujoco.MjvScene) -> list[mujoco.MjvLight]:
    return [light for light in scene.lights[: scene.nlight] if light.castshadow]
