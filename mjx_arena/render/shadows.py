"""Shadows where they are: the parts of a picture that hold the bodies and their shadows.

With shadows MuJoCo draws every pixel twice, which takes a CPU longer than all else. So a picture is drawn without, and
those parts once more with them. Where shadows may be anywhere the part is the whole picture.
"""

from typing import NamedTuple

import mujoco
import numpy as np

_SHADOWED = 1.0  # distances of the camera around the point that it looks at, within which the sun casts shadows
_MARGIN = 2  # pixels
_EXTRA = 0.05  # of a picture's pixels, which take as long as one more part


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
        moving = (model.body_weldid[model.geom_bodyid] > 0) & (model.geom_rbound > 0)
        fixed, plane = ~moving, model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE
        if hasattr(model, "geom_castshadow"):  # MuJoCo 4: the ground casts none, and would only take time
            model.geom_castshadow[plane] = False
            fixed &= model.geom_castshadow.astype(bool)
        else:
            fixed &= ~plane
        # Shadows of what stands fixed, or is soft, may be anywhere.
        self._anywhere = bool(fixed.any() or model.nskin or model.nflex)
        self._ground = float(model.geom_pos[plane & (model.geom_bodyid == 0), 2].min(initial=0))
        root = model.body_rootid[model.geom_bodyid]
        self._bodies = [np.flatnonzero(moving & (root == one)) for one in np.unique(root[moving])]
        self._radius = model.geom_rbound

    def focus(self, scene: mujoco.MjvScene, context: mujoco.MjrContext, lookat: np.ndarray, distance: float) -> None:
        """Lets directional lights cast their shadows around `lookat` alone, so that the shadow map is sharp there."""
        context.shadowClip = _SHADOWED * distance
        for light in _casting(scene):
            if light.type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL:
                light.pos[:] = lookat - context.shadowClip * light.dir

    def windows(self, scene: mujoco.MjvScene, data: mujoco.MjData, width: int, height: int) -> list[Window]:
        """Returns the parts of a picture of `width` x `height` pixels that have shadows; they do not overlap."""
        camera, pixels = scene.camera[0], np.array([width, height])
        top, bottom = camera.frustum_top, camera.frustum_bottom
        half = (top - bottom) / 2 * width / height
        low, size = np.array([-half, bottom]), np.array([2 * half, top - bottom])
        boxes = []
        for spheres in self._spheres(scene, data):
            corners = _on_near_plane(scene, *spheres)
            if corners is None:
                boxes = [np.array([[0, 0], pixels])]
                break
            if len(corners):
                share = (corners - low) / size * pixels
                first, last = np.floor(share.min(0)) - _MARGIN, np.ceil(share.max(0)) + _MARGIN
                boxes.append(np.clip([first, last], 0, pixels).astype(int))
        found = []
        for first, last in _joined([box for box in boxes if (box[1] > box[0]).all()], _EXTRA * width * height):
            (left, under), (right, over) = low + size * first / pixels, low + size * last / pixels
            (column, row), (wide, high) = first.tolist(), (last - first).tolist()
            found.append(Window(column, row, wide, high, (left, right, under, over)))
        return found

    def _spheres(self, scene: mujoco.MjvScene, data: mujoco.MjData) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns centres `[n, 3]` and radii `[n]` of spheres around each body that moves and its shadows.

        A shadow lies between a body and its shadow on the ground, or on another body. Where shadows may be anywhere
        there is one sphere around the camera.
        """
        lights = _casting(scene)
        sunny = all(light.type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL and light.dir[2] < -0.2 for light in lights)
        if self._anywhere or not sunny:
            return [(np.array(scene.camera[0].pos)[None], np.ones(1))]
        ways = [np.array(light.dir, float) for light in lights]
        # A sphere's shadow on the ground is longer than the sphere, the lower the sun.
        longest = 1 / min([1.0, *(-way[2] for way in ways)])
        found = []
        for geoms in self._bodies:
            places = data.geom_xpos[geoms]
            shadows = [places - np.outer((places[:, 2] - self._ground) / way[2], way) for way in ways]
            found.append((np.concatenate([places, *shadows]), np.tile(self._radius[geoms] * longest, 1 + len(ways))))
        return found


def _on_near_plane(scene: mujoco.MjvScene, centres: np.ndarray, radii: np.ndarray) -> np.ndarray | None:
    """Returns corners `[n, 2]` around the pictures of spheres on the near plane, m; None if one reaches behind it.

    There are none of spheres that are wholly behind it.
    """
    first, second = scene.camera
    eye, ahead, up = (np.array(first.pos) + np.array(second.pos)) / 2, np.array(first.forward), np.array(first.up)
    seen = (centres - eye) @ np.stack([np.cross(ahead, up), up, ahead], 1)
    before = seen[:, 2] + radii > first.frustum_near
    seen, radii = seen[before], radii[before, None]
    nearest = seen[:, 2:] - radii
    if (nearest < first.frustum_near).any():
        return None
    # What is left of the middle of the picture is even more so at its near end, so its right end needs the far one.
    ends = [(seen[:, :2] + sign * radii) / depth for sign in (-1, 1) for depth in (nearest, nearest + 2 * radii)]
    return first.frustum_near * np.concatenate(ends)


def _joined(boxes: list[np.ndarray], extra: float) -> list[np.ndarray]:
    """Joins boxes `[2, 2]`, first and last corner, that overlap, or that are drawn sooner as one.

    `extra` is what one box more costs, in pixels.
    """
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            both = np.array([np.minimum(one[0], other[0]), np.maximum(one[1], other[1])])
            overlap = (np.minimum(one[1], other[1]) > np.maximum(one[0], other[0])).all()
            if overlap or _area(both) < _area(one) + _area(other) + extra:
                rest = [box for box in boxes if box is not one and box is not other]
                return _joined([both, *rest], extra)
    return boxes


def _area(box: np.ndarray) -> float:
    return float(np.prod(box[1] - box[0]))


def _casting(scene: mujoco.MjvScene) -> list[mujoco.MjvLight]:
    return [light for light in scene.lights[: scene.nlight] if light.castshadow]
