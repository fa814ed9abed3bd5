"""The cars as pictures show them: coachwork, windows, wheels and lamps around the box that engines see."""

from collections.abc import Iterable

import mujoco
import numpy as np

from mjx_arena.bodies.ground import UNSEEN
from mjx_arena.bodies.shapes import Shape
from mjx_arena.tasks.car_soccer import car
from mjx_arena.tasks.car_soccer.units import METRE

_LOW = -car.REST_HEIGHT + 6  # uu, of the underside from a car's centre
_FRONT, _BACK = (51.25, 36, 12.5), (-33.75, 38, 15)  # x, y and radius of the wheels, uu


def add_meshes(spec: mujoco.MjSpec) -> None:
    """Adds the meshes that all cars share: convex side views of (x, z above the underside, half width), uu."""
    body = [(76, 6, 30), (74, 14, 34), (66, 22, 38), (34, 30, 40), (-40, 34, 40), (-46, 30, 40), (-47, 6, 38)]
    _add_hull(spec, "coachwork", body, 0)
    _add_hull(spec, "windows", [(36, 29, 36), (11, 45, 28), (-20, 46, 28), (-40, 33, 36)], 28)
    _add_hull(spec, "roof", [(12, 46, 29), (9, 48.5, 27), (-18, 49.5, 27), (-24, 46, 29)], 45)
    tyres, rims = Shape(), Shape()
    for x, y, radius in (_FRONT, _BACK):
        for side in (-1, 1):
            middle = np.array([x, side * y, radius - car.REST_HEIGHT]) * METRE
            for shape, share, half in ((tyres, 1, 0.08), (rims, 0.55, 0.09)):
                shape.bar(middle - [0, half, 0], middle + [0, half, 0], share * radius * METRE, sides=14)
    tyres.add_to(spec, "tyres")
    rims.add_to(spec, "rims_of_wheels")


def dress(body: mujoco.MjsBody, rgb: tuple[float, float, float]) -> None:
    """Adds the geoms of a car in the colour of its team."""
    colours = {"coachwork": rgb, "roof": rgb, "windows": (0.08, 0.1, 0.14)}
    colours |= {"tyres": (0.06, 0.06, 0.06), "rims_of_wheels": (0.8, 0.8, 0.82)}
    for name, colour in colours.items():
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, rgba=[*colour, 1], **UNSEEN)
    _add_box(body, (-42, 0, 51), (7, 38, 1.5), rgb)
    for side in (-1, 1):
        _add_box(body, (-41, 27 * side, 42), (3, 1.5, 9), rgb)
        _add_box(body, (73, 22 * side, 14), (2, 7, 3), (1, 1, 0.85))
        _add_box(body, (-46.5, 26 * side, 25), (2, 7, 3), (0.8, 0.05, 0.05))


def _add_box(body: mujoco.MjsBody, place, half, rgb) -> None:
    pos, size = (np.array(place) + [0, 0, _LOW]) * METRE, np.array(half) * METRE
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=pos, size=size, rgba=[*rgb, 1], **UNSEEN)


def _add_hull(spec: mujoco.MjSpec, name: str, shape: Iterable[tuple[float, float, float]], low: float) -> None:
    """Adds the convex mesh of a side view with a flat bottom at `low`, uu above the underside."""
    points = [(x, side * half, z + _LOW) for x, top, half in shape for side in (-1, 1) for z in (top, low)]
    spec.add_mesh(name=name, uservert=(np.array(points) * METRE).reshape(-1))
