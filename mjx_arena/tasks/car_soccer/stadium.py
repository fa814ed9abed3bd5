"""The stadium as pictures show it. Engines never see any of it.

All is of plain shapes and MuJoCo's built-in textures, so that a saved model has no files beside it.
"""

import mujoco
import numpy as np

from mjx_arena.bodies.ground import UNSEEN
from mjx_arena.bodies.shapes import Shape
from mjx_arena.tasks.car_soccer import boost, coachwork, field
from mjx_arena.tasks.car_soccer.units import METRE

BLUE, ORANGE = (0.12, 0.36, 1.0), (1.0, 0.45, 0.05)  # of the teams, that which attacks towards +y first
_BOX, _MESH, _PLANE = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_MESH, mujoco.mjtGeom.mjGEOM_PLANE
_LINE, _FLAT = 0.22, 0.012  # m, width and height of the lines on the grass
_STRIPES = 20  # of mown grass
_X, _Y = field.HALF_WIDTH * METRE, field.HALF_LENGTH * METRE
_GOAL, _BAR, _DEPTH = (size * METRE for size in (field.GOAL_HALF_WIDTH, field.GOAL_HEIGHT, field.GOAL_DEPTH))
_CORNER = np.array([field.CORNER * METRE - _Y, field.CORNER * METRE - _X])  # x and y where the cut corners begin
_GLASS, _BOARD = 4.5, 1.1  # m, heights of the walls as they are drawn; the game's are 20 m and would hide the sky
_SAND, _STEEL = [0.36, 0.38, 0.4, 1], [0.85, 0.88, 0.92, 1]


def dress(spec: mujoco.MjSpec, num_cars: int) -> None:
    """Adds all that pictures show to the model of ball and cars: daylight, the stadium, patterns and coachwork."""
    quality = spec.visual.quality  # corners cost time on a CPU; boxes and planes are lit from afar, so evenly
    quality.numquads, quality.numslices, quality.numstacks = 1, 24, 14
    _add_daylight(spec)
    _add_pitch(spec)
    for sign, rgb in ((-1, BLUE), (1, ORANGE)):
        _add_goal(spec, sign, rgb)
    _add_walls(spec)
    _add_pads(spec)
    _add_stands(spec)
    for geom in spec.worldbody.geoms:
        if hasattr(geom, "castshadow"):  # MuJoCo 4: the shadows of what stands far apart would only take time
            geom.castshadow = False
    # A pattern lets the ball be seen to roll.
    kind, pattern = mujoco.mjtTexture.mjTEXTURE_CUBE, mujoco.mjtBuiltin.mjBUILTIN_CHECKER
    _add_material(spec, "ball", kind, pattern, [0.95, 0.95, 0.95], [0.6, 0.63, 0.68], repeat=(2, 2), specular=0.3)
    spec.geom("ball").material = "ball"
    coachwork.add_meshes(spec)
    for index in range(num_cars):
        spec.geom(f"hull_{index}").rgba = [0, 0, 0, 0]  # it is a plain box
        coachwork.dress(spec.body(f"car_{index}"), BLUE if index < num_cars // 2 else ORANGE)


def _add_daylight(spec: mujoco.MjSpec) -> None:
    spec.stat.extent = 10  # m; the planes of the camera below are in such units
    spec.visual.map.znear, spec.visual.map.zfar = 0.03, 40
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.42, 0.44, 0.48], [0.12, 0.12, 0.12]
    spec.visual.headlight.specular = [0, 0, 0]
    sun = spec.worldbody.add_light(pos=[0, 0, 40], dir=[0.35, 0.3, -0.9], diffuse=[0.62, 0.6, 0.55])
    sun.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    sky = spec.add_texture(name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, width=128, height=128)
    sky.builtin, sky.rgb1, sky.rgb2 = mujoco.mjtBuiltin.mjBUILTIN_GRADIENT, [0.25, 0.5, 0.85], [0.95, 0.97, 1]


def _add_pitch(spec: mujoco.MjSpec) -> None:
    """Adds mown grass, lines, and the goals' grounds in their colours."""
    world = spec.worldbody
    # In this order, since what is hidden by what was drawn before costs little.
    stripes, half = Shape(), _Y / _STRIPES
    for y in np.arange(-_Y + half, _Y, 4 * half):
        stripes.strip((half - _X, y), (_X - half, y), 2 * half, _FLAT / 3)
    _add_shape(spec, "stripes", stripes, [0.24, 0.56, 0.23, 1])
    world.add_geom(name="floor", type=_PLANE, size=[_X, _Y, 5], rgba=[0.2, 0.5, 0.2, 1], **UNSEEN)
    world.add_geom(name="ground", type=_PLANE, size=[3 * _X, 3 * _Y, 5], pos=[0, 0, -0.05], rgba=_SAND, **UNSEEN)
    for sign, rgb in ((-1, BLUE), (1, ORANGE)):
        paint = [*(0.45 * np.array(rgb) + 0.15), 1]
        place = [0, sign * (_Y + _DEPTH / 2), 0]
        world.add_geom(type=_PLANE, pos=place, size=[_GOAL, _DEPTH / 2, 5], rgba=paint, **UNSEEN)
    lines, angle = Shape(), 2 * np.pi * np.arange(65) / 64
    paths = [[(-_X, 0), (_X, 0)], 9.15 * np.stack([np.cos(angle), np.sin(angle)], 1), [(-0.2, 0), (0.2, 0)]]
    for sign in (-1, 1):
        for half, deep in ((_GOAL + 9, 16.5), (_GOAL + 3, 5.5)):
            front = sign * (_Y - deep)
            paths.append([(-half, sign * _Y), (-half, front), (half, front), (half, sign * _Y)])
        paths.append([(-_CORNER[0], sign * (_Y - 0.1)), (_CORNER[0], sign * (_Y - 0.1))])
        paths.append([(sign * (_X - 0.1), -_CORNER[1]), (sign * (_X - 0.1), _CORNER[1])])
    for path in paths:
        lines.path(path, _LINE, _FLAT)
    _add_shape(spec, "lines", lines, [0.93, 0.96, 0.93, 1])


def _add_goal(spec: mujoco.MjSpec, sign: int, rgb: tuple[float, float, float]) -> None:
    """Adds frame and net of the goal at y with this sign."""
    front, back, width, depth, height = sign * _Y, sign * (_Y + _DEPTH), (2 * _GOAL, 0, 0), (0, sign * _DEPTH, 0), _BAR
    frame, net = Shape(), Shape()
    for x in (-_GOAL, _GOAL):
        frame.bar((x, front, 0), (x, front, height), 0.2, sides=10)
        frame.bar((x, front, height), (x, back, height), 0.1, sides=6)
        frame.bar((x, back, 0), (x, back, height), 0.1, sides=6)
        net.grid((x, front, 0), depth, (0, 0, height), cell=1.3, radius=0.04)
    frame.bar((-_GOAL - 0.2, front, height), (_GOAL + 0.2, front, height), 0.2, sides=10)
    frame.bar((-_GOAL, back, height), (_GOAL, back, height), 0.1, sides=6)
    net.grid((-_GOAL, back, 0), width, (0, 0, height), cell=1.3, radius=0.04)
    net.grid((-_GOAL, front, height), width, depth, cell=1.3, radius=0.04)
    _add_shape(spec, f"goal_{sign:+d}", frame, [*rgb, 1])
    _add_shape(spec, f"net_{sign:+d}", net, [0.95, 0.95, 0.97, 1])


def _add_walls(spec: mujoco.MjSpec) -> None:
    """Adds boards in the colours of the teams' halves, and glass and rails above them."""
    rails = Shape()
    for sign, rgb in ((-1, BLUE), (1, ORANGE)):
        board = [*(0.55 * np.array(rgb) + 0.2), 1]
        for x in (-1, 1):
            along = [(x * _X, 0), (x * _X, sign * _CORNER[1]), (x * _CORNER[0], sign * _Y), (x * _GOAL, sign * _Y)]
            for start, end in zip(along[:-1], along[1:], strict=True):
                _add_wall(spec, start, end, (0, _BOARD), 0.08, board)
                _add_wall(spec, start, end, (_BOARD, _GLASS), 0.02, [0.75, 0.88, 1, 0.14])
                rails.bar((*start, _GLASS), (*end, _GLASS), 0.1)
                rails.bar((*end, 0), (*end, _GLASS), 0.1)
        _add_wall(spec, (-_GOAL, sign * _Y), (_GOAL, sign * _Y), (_BAR, _BAR + 1.5), 0.04, [*rgb, 1])
    _add_shape(spec, "rails", rails, _STEEL)


def _add_wall(spec: mujoco.MjSpec, start, end, heights: tuple[float, float], half: float, rgba) -> None:
    """Adds an upright panel from `start` to `end`, points of the ground, between two heights, in m."""
    way = np.subtract(end, start)
    turn, place = np.arctan2(way[1], way[0]) / 2, [*np.add(start, end) / 2, sum(heights) / 2]
    size = [np.linalg.norm(way) / 2, half, (heights[1] - heights[0]) / 2]
    quat = [np.cos(turn), 0, 0, np.sin(turn)]
    spec.worldbody.add_geom(type=_BOX, pos=place, quat=quat, size=size, rgba=rgba, **UNSEEN)


def _add_pads(spec: mujoco.MjSpec) -> None:
    """Adds boost pads: yellow plates with dark rims, the big ones with a ball above them."""
    glow = spec.add_material(name="glow", emission=0.6, specular=0.2)
    glow.rgba = [1, 0.8, 0.15, 1]
    rims, plates = Shape(), Shape()
    for (x, y), big in zip(boost.PADS * METRE, boost.IS_BIG, strict=True):
        radius = 1.5 if big else 0.75
        sides = 20 if big else 12
        rims.bar((x, y, 0), (x, y, 0.03), radius, sides)
        plates.bar((x, y, 0), (x, y, 0.05), 0.7 * radius, sides)
        if big:
            sphere = {"type": mujoco.mjtGeom.mjGEOM_SPHERE, "size": [0.55, 0, 0], "material": "glow"}
            spec.worldbody.add_geom(pos=[x, y, 1.1], **sphere, **UNSEEN)
    _add_shape(spec, "rims", rims, [0.2, 0.21, 0.24, 1])
    _add_shape(spec, "plates", plates, [1, 0.8, 0.15, 1]).material = "glow"


def _add_stands(spec: mujoco.MjSpec) -> None:
    """Adds rising rows of seats on four sides, behind the goals in their team's colour."""
    for row in range(6):
        out, high, shade = 13 + 4 * row, 1 + 1.1 * row, 0.5 + 0.06 * row
        grey = [shade, shade + 0.02, shade + 0.06, 1]
        for sign, rgb in ((-1, BLUE), (1, ORANGE)):
            paint = [*(0.25 * np.array(rgb) + 0.75 * shade), 1]
            for place, size, rgba in (((_X + out, 0), (2, _Y + 4), grey), ((0, _Y + out), (_X + 4, 2), paint)):
                pos = [sign * place[0], sign * place[1], high]
                spec.worldbody.add_geom(type=_BOX, pos=pos, size=[*size, high], rgba=rgba, **UNSEEN)


def _add_shape(spec: mujoco.MjSpec, name: str, shape: Shape, rgba: list[float]) -> mujoco.MjsGeom:
    shape.add_to(spec, name)
    return spec.worldbody.add_geom(name=name, type=_MESH, meshname=name, rgba=rgba, **UNSEEN)


def _add_material(spec: mujoco.MjSpec, name: str, kind, pattern, light, dark, repeat, specular: float = 0.0) -> None:
    texture = spec.add_texture(name=name, type=kind, builtin=pattern, width=256, height=256)
    texture.rgb1, texture.rgb2 = light, dark
    material = spec.add_material(name=name, texrepeat=repeat, specular=specular)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
