"""The ground of models: a floor that collides only through explicit pairs, and sky and lights for pictures."""

import mujoco

FLOOR = "floor"


def with_ground(timestep: float) -> mujoco.MjSpec:
    """Starts a model in radians with a chequered floor of 2 m squares named `floor`, a sky and two lights.

    Its options: engine steps of `timestep` s, few solver iterations, and damping that is integrated explicitly.
    """
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = timestep
    spec.option.iterations, spec.option.ls_iterations = 2, 4
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_EULERDAMP
    spec.add_texture(
        name="chequers",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.32, 0.36, 0.40],
        rgb2=[0.26, 0.30, 0.34],
        width=256,
        height=256,
    )
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.80, 0.86, 0.92],
        rgb2=[0.45, 0.55, 0.68],
        width=64,
        height=64,
    )
    material = spec.add_material(name="ground", texrepeat=[0.5, 0.5], texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "chequers"
    floor = spec.worldbody.add_geom(name=FLOOR, type=mujoco.mjtGeom.mjGEOM_PLANE, material="ground")
    floor.size = [20, 20, 1]
    floor.contype = floor.conaffinity = 0
    spec.worldbody.add_light(pos=[2, -3, 5], dir=[-0.3, 0.5, -0.8], diffuse=[0.7, 0.7, 0.7])
    spec.worldbody.add_light(pos=[-3, 3, 5], dir=[0.4, -0.4, -0.8], diffuse=[0.3, 0.3, 0.3], castshadow=False)
    return spec
