"""The track as pictures show it: lanes with marks, a sign every ten metres, the finish. Engines never see it."""

import mujoco
import numpy as np

from mjx_arena.bodies.ground import UNSEEN
from mjx_arena.bodies.shapes import Shape

_FROM, _TO = -12.0, 115.0  # m
_NEAR, _FAR = -0.9, 1.5  # m, sides of the track; the camera looks along y
_SIGN = 0.55  # m, height of a sign's digits
# Segments of a digit, from (x, z) to (x, z): top, upper left and right, middle, lower left and right, bottom.
_SEGMENTS = np.array(
    [[[0, 2], [1, 2]], [[0, 1], [0, 2]], [[1, 1], [1, 2]], [[0, 1], [1, 1]], [[0, 0], [0, 1]], [[1, 0], [1, 1]]]
    + [[[0, 0], [1, 0]]]
)
_DIGITS = ("012456", "25", "02346", "02356", "1235", "01356", "013456", "025", "0123456", "012356")


def draw(spec: mujoco.MjSpec, goal: float) -> None:
    """Adds the track to a model; the finish is at `goal` m."""
    ground, lines, signs, posts = Shape(), Shape(), Shape(), Shape()
    middle = (_NEAR + _FAR) / 2
    ground.strip((_FROM, middle), (_TO, middle), _FAR - _NEAR, 0.004)
    for y in (_NEAR, 0.45, _FAR):
        lines.strip((_FROM, y), (_TO, y), 0.05, 0.006)
    for x in range(round(_FROM), round(_TO)):
        lines.strip((x, _FAR - 0.02), (x, _FAR - 0.2), 0.03, 0.006)
    lines.strip((0, _NEAR), (0, _FAR), 0.06, 0.006)
    for x in range(0, round(goal) + 1, 10):
        lines.strip((x, 0.5), (x, _FAR), 0.06, 0.006)
        posts.bar((x, _FAR + 0.4, 0), (x, _FAR + 0.4, 0.7), 0.03)
        _add_number(signs, str(x), x, _FAR + 0.36, 0.78)
    white, black, size = Shape(), Shape(), 0.2
    for row in range(3):
        for column, y in enumerate(np.arange(_NEAR + size / 2, _FAR, size)):
            square = white if (row + column) % 2 else black
            square.strip((goal + size * row, y - 0.01), (goal + size * row, y + 0.01), size - 0.02, 0.007)
    _add(spec, "track", ground, (0.70, 0.30, 0.22))
    _add(spec, "lines", lines, (0.96, 0.95, 0.93))
    _add(spec, "signs", signs, (0.10, 0.12, 0.16))
    _add(spec, "posts", posts, (0.93, 0.94, 0.95))
    _add(spec, "finish_white", white, (0.95, 0.95, 0.95))
    _add(spec, "finish_black", black, (0.10, 0.10, 0.12))
    spec.texture("chequers").rgb1, spec.texture("chequers").rgb2 = [0.36, 0.56, 0.34], [0.33, 0.53, 0.31]


def _add(spec: mujoco.MjSpec, name: str, shape: Shape, rgb: tuple[float, float, float]) -> None:
    shape.add_to(spec, name)
    mesh = {"type": mujoco.mjtGeom.mjGEOM_MESH, "meshname": name, "rgba": [*rgb, 1]}
    geom = spec.worldbody.add_geom(name=name, **mesh, **UNSEEN)
    if hasattr(geom, "castshadow"):  # MuJoCo 4
        geom.castshadow = False


def _add_number(shape: Shape, number: str, x: float, y: float, z: float) -> None:
    """Adds the digits of a number as bars, its middle above `x`."""
    half, step = _SIGN / 2, 0.8 * _SIGN
    left = x - (len(number) * step - (step - half)) / 2
    for place, digit in enumerate(number):
        for segment in _DIGITS[int(digit)]:
            ends = _SEGMENTS[int(segment)] * half
            start, end = ([left + place * step + across, y, z + up] for across, up in ends)
            shape.bar(start, end, 0.035)
