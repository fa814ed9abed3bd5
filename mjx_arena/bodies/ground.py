"""The ground of models: a floor that collides only through explicit pairs, and the sky and the light of pictures."""

import mujoco
import numpy as np

FLOOR = "floor"
UNSEEN = {"contype": 0, "conaffinity": 0, "mass": 0}  # by physics: geoms of pictures alone

_SKY, _HORIZON = [0.38, 0.57, 0.82], [0.93, 0.95, 0.97]
_SQUARES = [0.63, 0.66, 0.70], [0.57, 0.60, 0.65]


def with_ground(timestep: float) -> mujoco.MjSpec:
    """Starts a model in radians with an endless floor of 2 m squares named `floor`, a sky, and the sun.

    Its options: engine steps of `timestep` s, few solver iterations, and damping that is integrated explicitly.
    """
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = timestep
    spec.option.iterations, spec.option.ls_iterations = 2, 4
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_EULERDAMP
    size = {"width": 256, "height": 256}
    chequers = spec.add_texture(name="chequers", type=mujoco.mjtTexture.mjTEXTURE_2D, **size)
    chequers.builtin = mujoco.mjtBuiltin.mjBUILTIN_CHECKER
    sky = spec.add_texture(name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, width=64, height=64)
    sky.builtin = mujoco.mjtBuiltin.mjBUILTIN_GRADIENT
    material = spec.add_material(name="ground", texrepeat=[0.5, 0.5], texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "chequers"
    floor = spec.worldbody.add_geom(name=FLOOR, type=mujoco.mjtGeom.mjGEOM_PLANE, material="ground")
    floor.size = [0, 0, 1]
    floor.contype = floor.conaffinity = 0
    light(spec, chequers, sky)
    return spec


def light(spec: mujoco.MjSpec, chequers: mujoco.MjsTexture, sky: mujoco.MjsTexture) -> None:
    """Gives floor and sky calm colours, and a model one sun, whose shadows MuJoCo draws, in place of its lights."""
    for old in spec.lights:
        spec.delete(old)
    sun = spec.worldbody.add_light(pos=[0, 0, 10], dir=[-0.35, 0.45, -0.85], diffuse=[0.55, 0.54, 0.52])
    sun.type, sun.specular = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, [0.2, 0.2, 0.2]
    visual = spec.visual
    visual.headlight.ambient, visual.headlight.diffuse = [0.36, 0.37, 0.39], [0.24, 0.24, 0.24]
    visual.headlight.specular = [0, 0, 0]
    visual.quality.numslices, visual.quality.numstacks = 40, 12  # rounder rings for as many corners
    chequers.rgb1, chequers.rgb2 = _SQUARES
    sky.rgb1, sky.rgb2 = _SKY, _HORIZON
    visual.rgba.haze = [*(0.5 * np.add(_SKY, _HORIZON)), 1]  # the sky where it meets the floor, which fades into it
