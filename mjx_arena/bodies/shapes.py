"""Meshes out of prisms, for pictures: many lines, bars and discs in one mesh are drawn faster than as geoms."""

import mujoco
import numpy as np
from numpy.typing import ArrayLike


class Shape:
    """Prisms that become one mesh that nothing collides with, in m."""

    def __init__(self):
        self._points, self._faces, self._size = [], [], 0

    def prism(self, corners: np.ndarray, up: np.ndarray) -> None:
        """Adds the prism from a convex polygon `[n, 3]`, counterclockwise seen from above, along `up` `[3]`."""
        num = len(corners)
        this, ring = np.arange(num), np.roll(np.arange(num), -1)
        caps = [[0, index + 1, index] for index in range(1, num - 1)]
        caps += [[num, num + index, num + index + 1] for index in range(1, num - 1)]
        sides = [*np.stack([this, ring, ring + num], 1), *np.stack([this, ring + num, this + num], 1)]
        self._points += [corners, corners + up]
        self._faces.append(np.array([*caps, *sides]) + self._size)
        self._size += 2 * num

    def strip(self, start: ArrayLike, end: ArrayLike, width: float, height: float) -> None:
        """Adds a strip on the ground between two points `(x, y)`, which it passes by half its width."""
        along = np.subtract(end, start) / np.linalg.norm(np.subtract(end, start)) * width / 2
        aside = np.array([-along[1], along[0]])
        before, after = np.subtract(start, along), np.add(end, along)
        corners = np.array([before + aside, before - aside, after - aside, after + aside])
        self.prism(np.column_stack([corners, np.zeros(4)]), np.array([0, 0, height]))

    def path(self, places: ArrayLike, width: float, height: float) -> None:
        """Adds the strips between successive points `(x, y)`."""
        points = np.asarray(places)
        for start, end in zip(points[:-1], points[1:], strict=True):
            self.strip(start, end, width, height)

    def bar(self, start: ArrayLike, end: ArrayLike, radius: float, sides: int = 4) -> None:
        """Adds a bar between two points `(x, y, z)`; with many sides a cylinder."""
        up = np.subtract(end, start)
        first = np.cross(up, [1.0, 0, 0] if abs(up[0]) < 0.9 * np.linalg.norm(up) else [0, 1.0, 0])
        first /= np.linalg.norm(first)
        second = np.cross(up / np.linalg.norm(up), first)
        angle = 2 * np.pi * (np.arange(sides)[:, None] + 0.5) / sides
        self.prism(np.array(start) + radius * (np.cos(angle) * first + np.sin(angle) * second), up)

    def grid(self, corner: ArrayLike, across: ArrayLike, along: ArrayLike, cell: float, radius: float):
        """Adds the bars of a net that goes `across` and `along` from a corner, with cells of about `cell`."""
        for one, other in ((across, along), (along, across)):
            for share in np.linspace(0, 1, round(float(np.linalg.norm(one)) / cell) + 1):
                start = np.add(corner, share * np.array(one))
                self.bar(start, start + other, radius)

    def add_to(self, spec: mujoco.MjSpec, name: str) -> None:
        """Adds the mesh to a model."""
        # Its mass is never asked for, and that of overlapping prisms would be none.
        kind = mujoco.mjtMeshInertia.mjMESH_INERTIA_LEGACY
        points, faces = np.concatenate(self._points).reshape(-1), np.concatenate(self._faces).reshape(-1)
        spec.add_mesh(name=name, uservert=points, userface=faces, inertia=kind)
