"""The duelist: a capsule torso on two legs of two hinges each, with rigid T-shaped feet.

All hinges turn about the body's own y axis (pitch): the legs swing forwards and backwards, and the bar across each heel
alone resists a sideways fall. Units: m, kg, rad. Positive hip angles swing the thigh backwards; knees bend backwards.
"""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_arena import symmetry
from mjx_arena.bodies.ground import FLOOR, with_ground
from mjx_arena.bodies.posture import AHEAD_LEFT_UP, SEEN, XYZ, Posture, named
from mjx_arena.types import Key

RED, BLUE = (0.86, 0.16, 0.13), (0.12, 0.32, 0.90)
STANDING_HEIGHT = 1.14  # of the torso's origin, legs straight
HINGES = ("hip_left", "knee_left", "hip_right", "knee_right")  # in the order of joints and of controls
NQ, NV = 11, 10  # positions and velocities of one duelist: a free root, then the hinges
LIMBS = ("torso", "thigh_left", "shin_left", "thigh_right", "shin_right")  # geoms that touch an opponent
# Points that touch the floor: the ends of the two foot capsules. The toe capsule's rear end lies inside the bar.
SOLES = tuple(f"{point}_{side}" for side in ("left", "right") for point in ("toe", "heel_in", "heel_out"))
LOWEST_FALL_HEIGHT = 0.77  # with the torso's origin above it, only soles can reach the floor

OBSERVATIONS = (  # names of what `observation` returns
    "height",
    *named("vertical", XYZ),
    *named("velocity", AHEAD_LEFT_UP),
    *named("spin", XYZ),
    *named("angle", HINGES),
    *named("speed", HINGES),
    *SEEN,
    *named("other: angle", HINGES),
    *named("other: speed", HINGES),
)

KEYBOARD = (
    Key("W", "lean in"),
    Key("S", "lean back"),
    Key("A", "kick with the left leg"),
    Key("D", "kick with the right leg"),
    Key("Space", "stand stiff"),
    Key("C", "crouch"),
)
# What each key adds to the controls, in the order of `HINGES`. A hip that turns backwards tips the torso ahead.
MOTIONS = {
    "W": np.array([0.5, 0.0, 0.5, 0.0]),
    "S": np.array([-0.5, 0.0, -0.5, 0.0]),
    "A": np.array([-1.0, -0.5, 0.4, 0.0]),
    "D": np.array([0.4, 0.0, -1.0, -0.5]),
    "Space": np.array([0.0, -0.6, 0.0, -0.6]),
    "C": np.array([-0.3, 0.6, -0.3, 0.6]),
}

_HIP_DROP = 0.30  # hips below the torso's origin
_HIP_SIDE = 0.12
_SEGMENT = 0.40  # of the thigh; of the shin down to the sole's axis
_SOLE_RADIUS = 0.04
_TOE, _HEEL, _BAR = 0.20, -0.14, 0.15  # reach of the foot before and behind the ankle, half width of the bar

REFLECTED_OBSERVATION = symmetry.by_names(OBSERVATIONS, symmetry.is_odd, symmetry.other_side)
REFLECTED_HINGES = symmetry.by_names(HINGES, symmetry.is_odd, symmetry.other_side)
REFLECTED_POSITION = symmetry.seated(symmetry.joined(symmetry.FREE_POSITION, REFLECTED_HINGES), range(2))
REFLECTED_VELOCITY = symmetry.seated(symmetry.joined(symmetry.FREE_VELOCITY, REFLECTED_HINGES), range(2))


def add_duelist(spec: mujoco.MjSpec, name: str, rgba: tuple[float, float, float, float]) -> mujoco.MjsBody:
    """Adds one duelist, standing at the origin and facing +x, with a free root; every name gets the prefix `name/`.

    Geoms collide only through explicit pairs (`contype = conaffinity = 0`). Returns the torso's body.
    """
    torso = spec.worldbody.add_body(name=f"{name}/torso", pos=[0, 0, STANDING_HEIGHT])
    torso.add_freejoint(name=f"{name}/root")
    _add_capsule(torso, f"{name}/torso", (0, 0, -0.25), (0, 0, 0.30), 0.12, 30, rgba)
    _add_capsule(torso, f"{name}/visor", (0.10, -0.06, 0.28), (0.10, 0.06, 0.28), 0.04, 0, (0.95, 0.95, 0.9, 1))
    for side, sign in (("left", 1), ("right", -1)):
        thigh = torso.add_body(name=f"{name}/thigh_{side}", pos=[0, sign * _HIP_SIDE, -_HIP_DROP])
        _add_hinge(spec, thigh, f"{name}/hip_{side}", (-1.4, 0.8), gear=160)
        _add_capsule(thigh, f"{name}/thigh_{side}", (0, 0, -0.04), (0, 0, -_SEGMENT + 0.04), 0.06, 7, rgba)
        shin = thigh.add_body(name=f"{name}/shin_{side}", pos=[0, 0, -_SEGMENT])
        _add_hinge(spec, shin, f"{name}/knee_{side}", (0, 2.0), gear=120)
        _add_capsule(shin, f"{name}/shin_{side}", (0, 0, 0), (0, 0, -_SEGMENT + 0.06), 0.05, 4, rgba)
        toe, heel_in, heel_out = (_TOE, 0, -_SEGMENT), (_HEEL, -sign * _BAR, -_SEGMENT), (_HEEL, sign * _BAR, -_SEGMENT)
        _add_capsule(shin, f"{name}/foot_{side}", (_HEEL, 0, -_SEGMENT), toe, _SOLE_RADIUS, 1.2, rgba)
        _add_capsule(shin, f"{name}/bar_{side}", heel_in, heel_out, _SOLE_RADIUS, 0.8, rgba)
        for point, pos in (("toe", toe), ("heel_in", heel_in), ("heel_out", heel_out)):
            _add_sole_point(shin, f"{name}/{point}_{side}", pos)
    return torso


def build_pair(timestep: float, agent_contacts: bool) -> mujoco.MjSpec:
    """Builds a model of two duelists, `red` and `blue`, on the ground, for engine steps of `timestep` s.

    If `agent_contacts` is true, their limbs touch each other, without friction.
    """
    spec = with_ground(timestep)
    for name, rgba in (("red", (*RED, 1)), ("blue", (*BLUE, 1))):
        add_duelist(spec, name, rgba)
        for sole in SOLES:
            spec.add_pair(geomname1=FLOOR, geomname2=f"{name}/{sole}", condim=3)
    if agent_contacts:
        for red in LIMBS:
            for blue in LIMBS:
                spec.add_pair(geomname1=f"red/{red}", geomname2=f"blue/{blue}", condim=1)
    return spec


def _add_capsule(body, name: str, start, end, radius: float, mass: float, rgba) -> None:
    geom = body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_CAPSULE, mass=mass, rgba=rgba, contype=0, conaffinity=0)
    geom.fromto = [*start, *end]
    geom.size[0] = radius


def _add_sole_point(body, name: str, pos) -> None:
    geom = body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_SPHERE, mass=0, pos=pos, contype=0, conaffinity=0)
    geom.size[0] = _SOLE_RADIUS
    geom.group = 3  # hidden: the capsules show the foot


def _add_hinge(spec, body, name: str, limits: tuple[float, float], gear: float) -> None:
    body.add_joint(name=name, axis=[0, 1, 0], range=limits, damping=2, armature=0.03).type = mujoco.mjtJoint.mjJNT_HINGE
    motor = spec.add_actuator(name=name, target=name, ctrlrange=[-1, 1])
    motor.trntype = mujoco.mjtTrn.mjTRN_JOINT
    motor.gear[0] = gear


def observation(posture: Posture) -> jax.Array:
    """Returns what each of two duelists observes of itself and of the other `[2, 38]`, in its own frames.

    It depends neither on their place in the world nor on which is first: the seats are interchangeable.
    """
    return jnp.concatenate([_felt(posture), _seen(posture)], -1)


def _felt(posture: Posture) -> jax.Array:
    """Returns what each duelist observes of itself `[n, 18]`."""
    velocity = posture.in_own_frame(posture.velocity)
    parts = [posture.height[:, None], posture.vertical, velocity, posture.spin, posture.hinges, posture.hinge_speeds]
    return jnp.concatenate(parts, -1)


def _seen(posture: Posture) -> jax.Array:
    """Returns what each duelist observes of the other `[2, 20]`."""
    other = posture.of_others()
    return jnp.concatenate([posture.seen()[:, 0], other.hinges, other.hinge_speeds], -1)
