"""Checks that all engines simulate a model alike.

MJX ignores many features of models without a word, and rejects others only while a step is compiled. The lists here
come from comparing the two, feature by feature: mujoco-mjx 3.17.0 with MuJoCo 3.17.0 and 4.0.0.
"""

from typing import NamedTuple

import mujoco
import numpy as np

from mjx_arena.physics.collisions import validate_collisions


class _Unread(NamedTuple):
    """A field of the model that MJX never reads; it is 0 where its feature is not used."""

    field: str
    kind: str  # kind of object that has the field, as named in `mjtObj`
    feature: str
    remedy: str


_UNREAD = (
    _Unread("jnt_stiffnesspoly", "JOINT", "stiffness that changes with position", "give stiffness one number"),
    _Unread("jnt_springyield", "JOINT", "springyield", "remove it"),
    _Unread("dof_dampingpoly", "JOINT", "damping that changes with speed", "give damping one number"),
    _Unread("tendon_stiffnesspoly", "TENDON", "stiffness that changes with length", "give stiffness one number"),
    _Unread("tendon_springyield", "TENDON", "springyield", "remove it"),
    _Unread("tendon_dampingpoly", "TENDON", "damping that changes with speed", "give damping one number"),
    _Unread("actuator_damping", "ACTUATOR", "damping", "give it to the joint or the tendon"),
    _Unread("actuator_dampingpoly", "ACTUATOR", "damping that changes with speed", "remove it"),
    _Unread("actuator_armature", "ACTUATOR", "armature", "give it to the joint or the tendon"),
    _Unread("actuator_actearly", "ACTUATOR", "actearly", "remove it"),
    _Unread("geom_surfacevel", "GEOM", "surfacevel", "move the body, or remove it"),
    _Unread("geom_adhesion", "GEOM", "adhesion", "remove it"),
    _Unread("pair_adhesion", "PAIR", "adhesion", "remove it"),
    _Unread("geom_fluid", "GEOM", "fluidshape ellipsoid", "remove it: then the body's box of inertia meets the fluid"),
)
# The members that MJX's own enumerations have.
KNOWN = {
    "actuator_trntype": ("mjtTrn", ("JOINT", "JOINTINPARENT", "TENDON", "SITE")),
    "actuator_dyntype": ("mjtDyn", ("NONE", "INTEGRATOR", "FILTER", "FILTEREXACT", "MUSCLE")),
    "actuator_gaintype": ("mjtGain", ("FIXED", "AFFINE", "MUSCLE")),
    "actuator_biastype": ("mjtBias", ("NONE", "AFFINE", "MUSCLE")),
    "eq_type": ("mjtEq", ("CONNECT", "WELD", "JOINT", "TENDON")),
}
# Sensors that follow from positions and velocities of bodies alone: no tendon, actuator, camera or clock.
_SENSORS = (
    *("JOINTPOS", "JOINTVEL", "BALLQUAT", "BALLANGVEL", "SUBTREECOM", "SUBTREELINVEL", "SUBTREEANGMOM"),
    *("FRAMEPOS", "FRAMEQUAT", "FRAMEXAXIS", "FRAMEYAXIS", "FRAMEZAXIS", "FRAMELINVEL", "FRAMEANGVEL"),
    *("VELOCIMETER", "GYRO", "MAGNETOMETER", "RANGEFINDER"),
)
_LIMITS_OF_MJX = ("max_contact_points", "max_geom_pairs")  # custom numbers by which MJX drops contacts
# The release whose Newton solver may factor a sparse system wrongly and then never converges: seen in games of 20 to 84
# degrees of freedom, whose dense systems it solves. Not seen in 3.17.0, nor in what follows 4.0.0.
SPARSE_IS_WRONG = "4.0.0"


def validate(model: mujoco.MjModel) -> None:
    """Raises ValueError for a model that MJX simulates differently from MuJoCo; names the feature and a remedy."""
    _validate_options(model)
    _validate_kinds(model)
    for unread in _UNREAD:
        rows = getattr(model, unread.field, np.zeros(0))  # MuJoCo 3.17 lacks those of 4.0
        owners = np.unique(rows.nonzero()[0])
        if unread.field.startswith("dof"):
            owners = np.unique(model.dof_jntid[owners])
        if owners.size:
            names = _names(model, unread.kind, owners)
            raise ValueError(f"{names}: {unread.feature} is left out by MJX; {unread.remedy}")
    _validate_sensors(model)
    validate_collisions(model)


def _validate_options(model: mujoco.MjModel) -> None:
    option = model.opt
    if option.integrator != mujoco.mjtIntegrator.mjINT_EULER:
        raise ValueError(
            "option integrator must be Euler: MJX and MuJoCo treat saturated actuators differently under the implicit "
            "ones, and the slim state holds no memory for RK4's stages"
        )
    for name, bit in mujoco.mjtEnableBit.__members__.items():
        if name not in ("mjNENABLE", "mjENBL_INVDISCRETE") and option.enableflags & int(bit):
            raise ValueError(f"flag {name} is not simulated by MJX; remove it from the model")
    for name in ("SPRING", "DAMPER"):
        if option.disableflags & int(getattr(mujoco.mjtDisableBit, f"mjDSBL_{name}")):
            raise ValueError(
                f'flag {name.lower()}="disable" takes springs, dampers, gravcomp and fluids away in MJX; remove it, '
                "and set to 0 what should not act"
            )
    if option.solver == mujoco.mjtSolver.mjSOL_PGS:
        raise ValueError("solver PGS does not exist in MJX; use Newton or CG")
    newton = option.solver == mujoco.mjtSolver.mjSOL_NEWTON
    if mujoco.__version__ == SPARSE_IS_WRONG and newton and mujoco.mj_isSparse(model):
        raise ValueError(
            f"MuJoCo {SPARSE_IS_WRONG} solves wrongly where the Jacobian is sparse, as it is by default from 60 "
            'degrees of freedom up; set option jacobian="dense", or install another version of MuJoCo'
        )
    if option.noslip_iterations:
        raise ValueError("option noslip_iterations is left out by MJX; set it to 0")
    if option.disableactuator:
        raise ValueError("option actuatorgroupdisable is left out by MJX; remove it, and the actuators")
    for name in _LIMITS_OF_MJX:
        if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_NUMERIC, name) >= 0:
            raise ValueError(f"custom number {name} lets MJX alone drop contacts; remove it")
    if model.nplugin:
        raise ValueError("plugins are left out by MJX; remove them")
    if model.nflex:
        raise ValueError("flexes do not exist in MJX; remove them")
    if model.nhistory:
        raise ValueError("delays of actuators and sensors are accepted by MJX but not simulated; remove them")


def _validate_kinds(model: mujoco.MjModel) -> None:
    for field, (enumeration, known) in KNOWN.items():
        kind, quality = field.split("_")
        for index, value in enumerate(getattr(model, field)):
            name = getattr(mujoco, enumeration)(value).name.split("_")[1]
            if name not in known:
                names = _names(model, "EQUALITY" if kind == "eq" else "ACTUATOR", [index])
                raise ValueError(f"{names}: {quality} {name} does not exist in MJX; use one of {_listed(known)}")
    moving = np.isin(model.eq_type, (mujoco.mjtEq.mjEQ_CONNECT, mujoco.mjtEq.mjEQ_WELD))
    if moving.any():
        names = _names(model, "EQUALITY", moving.nonzero()[0])
        raise ValueError(
            f"{names}: connect and weld act differently in MJX, which leaves out how their Jacobian changes in motion; "
            "use joints, or equalities of joints or tendons"
        )


def _validate_sensors(model: mujoco.MjModel) -> None:
    needs_acceleration = model.sensor_needstage == mujoco.mjtStage.mjSTAGE_ACC
    if needs_acceleration.any():
        names = _sensor_names(model, needs_acceleration)
        raise ValueError(f"sensors {names} need accelerations, which are not part of a state; use others")
    kinds = [mujoco.mjtSensor(kind).name.removeprefix("mjSENS_") for kind in model.sensor_type]
    camera = mujoco.mjtObj.mjOBJ_CAMERA
    unevaluated = np.array([kind not in _SENSORS for kind in kinds], bool)
    unevaluated |= (model.sensor_objtype == camera) | (model.sensor_reftype == camera)
    if unevaluated.any():
        names = _sensor_names(model, unevaluated)
        raise ValueError(f"sensors {names} would be wrong: this engine evaluates none of their kind; use others")
    rays = model.sensor_type == mujoco.mjtSensor.mjSENS_RANGEFINDER
    if rays.any():
        _validate_rays(model, rays)


def _validate_rays(model: mujoco.MjModel, rays: np.ndarray) -> None:
    """Checks the rangefinders among the sensors, those where `rays` is true."""
    names = _sensor_names(model, rays)
    if not model.nmat:
        raise ValueError(f"rangefinders {names} fail in MJX where a model has no material; add one, used or not")
    distance_only = 1 << int(mujoco.mjtRayDataField.mjRAYDATA_DIST)
    if (model.sensor_intprm[rays, 0] != distance_only).any():
        raise ValueError(f'rangefinders {names} measure a distance alone in MJX; leave out data, or set it to "dist"')
    unseen = np.isin(model.geom_type, (mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_HFIELD))
    if unseen.any():
        geoms = _names(model, "GEOM", unseen.nonzero()[0])
        raise ValueError(f"rangefinders {names} see no cylinder or height field in MJX; replace {geoms}")


def _names(model: mujoco.MjModel, kind: str, ids) -> str:
    """Returns text such as "joint knee, 4": objects without a name are given by their index."""
    names = [mujoco.mj_id2name(model, getattr(mujoco.mjtObj, f"mjOBJ_{kind}"), index) for index in ids]
    return f"{kind.lower()} {_listed([name or str(index) for name, index in zip(names, ids, strict=True)])}"


def _sensor_names(model: mujoco.MjModel, chosen: np.ndarray) -> str:
    return _listed([model.sensor(index).name or str(index) for index in chosen.nonzero()[0]])


def _listed(names) -> str:
    return ", ".join(names)
