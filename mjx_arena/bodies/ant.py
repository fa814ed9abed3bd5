"""The ant: a round torso on four legs of two hinges each, moved by position targets. Units: m, kg, rad.

Sizes and gains are those of TimeChamber's ant (MIT). The density is not: with its 5 kg/m^3, an ant of 0.9 kg carried
motors of 85 Nm/rad.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_arena import symmetry
from mjx_arena.bodies.ground import FLOOR, with_ground
from mjx_arena.bodies.posture import AHEAD_LEFT_UP, XYZ, Posture, named
from mjx_arena.geometry import yaw_quaternion
from mjx_arena.types import Key, PhysicsState

NQ, NV = 15, 14  # positions and velocities of one ant: a free root, then the hinges
HINGES = tuple(f"{hinge}_{leg}" for leg in range(4) for hinge in ("hip", "ankle"))  # in the order of controls
NUM_HINGES = len(HINGES)
TORSO_RADIUS = 0.25
HIP_RANGE, ANKLE_RANGE = (-0.7, 0.7), (0.52, 1.74)  # rad; a hip turns about the vertical, an ankle bends down
LOW = np.array([HIP_RANGE[0], ANKLE_RANGE[0]] * 4, np.float32)
HIGH = np.array([HIP_RANGE[1], ANKLE_RANGE[1]] * 4, np.float32)
MIDDLE, HALF = (LOW + HIGH) / 2, (HIGH - LOW) / 2
MAX_ANTS = 8

_THIGH, _SHIN, _LEG_RADIUS = 0.2828, 0.5657, 0.08  # the thigh's length is also the hip's distance from the centre
_DENSITY = 60  # kg/m^3: 11 kg in all
_KP, _KD = 85, 2  # Nm/rad, Nms/rad
STANDING_HEIGHT = _SHIN * float(np.sin(MIDDLE[1])) + _LEG_RADIUS  # m, of the torso, hinges at MIDDLE
REACH = 2 * _THIGH + _SHIN * float(np.cos(MIDDLE[1])) + _LEG_RADIUS  # m to a foot, hinges at MIDDLE

FELT = (  # names of what `felt` returns
    "height",
    *named("vertical", XYZ),
    *named("velocity", AHEAD_LEFT_UP),
    *named("spin", XYZ),
    *named("angle", HINGES),
    *named("speed", HINGES),
)

# In a mirror legs change places across the body, and hips, which turn about the vertical, the sense of their angles.
_ACROSS = str.maketrans("0123", "3210")


def _across(name: str) -> str:
    """Returns the name of the entry of the leg on the other side."""
    return name.translate(_ACROSS) if name[-2:-1] == "_" else name


def _is_odd(name: str) -> bool:
    return "hip_" in name or symmetry.is_odd(name)


REFLECTED_FELT = symmetry.by_names(FELT, _is_odd, _across)
REFLECTED_HINGES = symmetry.by_names(HINGES, _is_odd, _across)
_POSITION = symmetry.joined(symmetry.FREE_POSITION, REFLECTED_HINGES)
_VELOCITY = symmetry.joined(symmetry.FREE_VELOCITY, REFLECTED_HINGES)


def reflected(physics: PhysicsState, seats: Sequence[int]) -> PhysicsState:
    """Returns the image of the state of ants in a mirror, which take the places `seats`."""
    return symmetry.reflected_physics(physics, symmetry.seated(_POSITION, seats), symmetry.seated(_VELOCITY, seats))


COLOURS = (
    *((0.86, 0.16, 0.13), (0.12, 0.32, 0.90), (0.13, 0.62, 0.25), (0.95, 0.75, 0.10)),
    *((0.56, 0.20, 0.75), (0.10, 0.70, 0.80), (0.95, 0.45, 0.10), (0.35, 0.35, 0.38)),
)
COLOUR_NAMES = ("red", "blue", "green", "yellow", "purple", "cyan", "orange", "grey")
_EDGE = 0.12  # m, width of the ring's edge in pictures
_TOUCHING = ("torso", *(f"shin_{leg}" for leg in range(4)))  # geoms that meet the floor and other ants


def build_ants(num_ants: int, timestep: float, ring_radius: float) -> mujoco.MjSpec:
    """Builds a model of `num_ants` ants, `ant0` and so on, on the ground, for engine steps of `timestep` s.

    Their torsos and shins touch each other without friction. A disc of `ring_radius` m is only for pictures.
    """
    spec = with_ground(timestep)
    ring = spec.worldbody.add_site(name="ring", type=mujoco.mjtGeom.mjGEOM_CYLINDER, rgba=(0.90, 0.84, 0.70, 1))
    ring.size[:2] = ring_radius, 0.002
    names = [f"ant{index}" for index in range(num_ants)]
    for name, colour in zip(names, COLOURS, strict=False):
        add_ant(spec, name, (*colour, 1))
        for geom in _TOUCHING:
            spec.add_pair(geomname1=FLOOR, geomname2=f"{name}/{geom}", condim=3)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            for first in _TOUCHING:
                for second in _TOUCHING:
                    spec.add_pair(geomname1=f"{one}/{first}", geomname2=f"{other}/{second}", condim=1)
    return spec


def draw_edge(spec: mujoco.MjSpec, ring_radius: float) -> mujoco.MjSpec:
    """Returns a copy of a model of `build_ants` with a red edge around its ring, for pictures."""
    spec = spec.copy()
    edge = spec.worldbody.add_site(name="edge", type=mujoco.mjtGeom.mjGEOM_CYLINDER, rgba=(0.72, 0.20, 0.16, 1))
    edge.size[:2] = ring_radius + _EDGE, 0.001
    return spec


def resize_ring(model: mujoco.MjModel, radius: float) -> None:
    """Draws the ring and its edge with `radius` m from now on."""
    for name, size in (("ring", radius), ("edge", radius + _EDGE)):
        model.site(name).size[0] = size


def add_ant(spec: mujoco.MjSpec, name: str, rgba: tuple[float, float, float, float]) -> mujoco.MjsBody:
    """Adds one ant with a free root; hinges at 0 stretch its shins outwards. Every name gets the prefix `name/`.

    Geoms collide only through explicit pairs (`contype = conaffinity = 0`). Returns the torso's body.
    """
    torso = spec.worldbody.add_body(name=f"{name}/torso", pos=[0, 0, STANDING_HEIGHT])
    torso.add_freejoint(name=f"{name}/root")
    _add_geom(torso, f"{name}/torso", mujoco.mjtGeom.mjGEOM_SPHERE, TORSO_RADIUS, rgba)
    eyes = torso.add_geom(name=f"{name}/eyes", type=mujoco.mjtGeom.mjGEOM_CAPSULE, mass=0, contype=0, conaffinity=0)
    eyes.rgba, eyes.fromto, eyes.size[0] = (0.95, 0.95, 0.9, 1), [0.2, -0.08, 0.1, 0.2, 0.08, 0.1], 0.05
    for leg in range(4):
        angle = np.pi / 4 + leg * np.pi / 2
        outwards, sideways = np.array([np.cos(angle), np.sin(angle), 0]), [-np.sin(angle), np.cos(angle), 0]
        _add_geom(torso, f"{name}/hip_{leg}", mujoco.mjtGeom.mjGEOM_CAPSULE, _LEG_RADIUS, rgba, outwards * _THIGH)
        thigh = torso.add_body(name=f"{name}/thigh_{leg}", pos=outwards * _THIGH)
        _add_hinge(spec, thigh, f"{name}/hip_{leg}", [0, 0, 1], HIP_RANGE)
        _add_geom(thigh, f"{name}/thigh_{leg}", mujoco.mjtGeom.mjGEOM_CAPSULE, _LEG_RADIUS, rgba, outwards * _THIGH)
        shin = thigh.add_body(name=f"{name}/shin_{leg}", pos=outwards * _THIGH)
        _add_hinge(spec, shin, f"{name}/ankle_{leg}", sideways, ANKLE_RANGE)
        _add_geom(shin, f"{name}/shin_{leg}", mujoco.mjtGeom.mjGEOM_CAPSULE, _LEG_RADIUS, rgba, outwards * _SHIN)
    return torso


def targets(action: jax.Array) -> jax.Array:
    """Returns position targets `[..., 8]` rad for actions `[..., 8]` in [-1, 1], which span the hinges' ranges."""
    return jnp.asarray(MIDDLE) + HALF * action


def place(position: jax.Array, yaw: jax.Array, noise: jax.Array) -> jax.Array:
    """Returns `qpos` `[n * 15]` of ants at `position` `[n, 2]` m with `yaw` `[n]` rad.

    `noise` `[n, 8]` rad is added to hinges in the middle of their ranges.
    """
    height = jnp.full((yaw.shape[0], 1), STANDING_HEIGHT)
    return jnp.concatenate([position, height, yaw_quaternion(yaw), MIDDLE + noise], 1).reshape(-1)


def start(
    key: jax.Array, angle: jax.Array, radius: jax.Array | float, yaw_noise: float, noise: float
) -> tuple[jax.Array, jax.Array]:
    """Returns `qpos` `[n * 15]` and `qvel` `[n * 14]` of ants on a circle of `radius` m at `angle` `[n]` rad.

    They face its centre up to `yaw_noise` rad; hinges and their speeds vary by up to `noise` rad and rad/s.
    """
    k_yaw, k_hinge, k_speed = jax.random.split(key, 3)
    num = angle.shape[0]
    yaw = angle + jnp.pi + yaw_noise * jax.random.uniform(k_yaw, (num,), minval=-1)
    hinges = noise * jax.random.uniform(k_hinge, (num, NUM_HINGES), minval=-1)
    qpos = place(radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1), yaw, hinges)
    speeds = noise * jax.random.uniform(k_speed, (num, NUM_HINGES), minval=-1)
    return qpos, jnp.concatenate([jnp.zeros((num, NV - NUM_HINGES)), speeds], 1).reshape(-1)


def felt(posture: Posture) -> jax.Array:
    """Returns what each ant observes of itself, in its own frames `[n, 26]`."""
    hinges = (posture.hinges - MIDDLE) / HALF
    velocity = posture.in_own_frame(posture.velocity)
    parts = [posture.height[:, None], posture.vertical, velocity, posture.spin, hinges, 0.2 * posture.hinge_speeds]
    return jnp.concatenate(parts, -1)


KEYBOARD = (
    Key("W", "walk ahead"),
    Key("S", "walk back"),
    Key("A", "turn left"),
    Key("D", "turn right"),
    Key("Space", "stand tall"),
    Key("C", "crouch"),
)
_STRIDE = 2.5  # walking steps a second
_PAIRS = np.pi * np.array([0, 1, 0, 1])  # legs across from each other step together
_LEFT = np.array([1, 1, -1, -1])  # the legs on the left turn backwards as those on the right turn forwards


def by_keys(held: frozenset[str], time: float) -> np.ndarray:
    """Returns the action `[8]` of one ant while a person holds keys: a trot, ahead or on the spot, or a posture."""
    ahead, turn = float("W" in held) - float("S" in held), float("A" in held) - float("D" in held)
    phase = 2 * np.pi * _STRIDE * time + _PAIRS
    hips = np.clip(-ahead * _LEFT * np.cos(phase) + turn * np.cos(phase), -1, 1)
    moving = float(ahead != 0 or turn != 0)
    ankles = 0.1 - 1.1 * moving * np.maximum(-np.sin(phase), 0)  # a leg that swings back to its start is lifted
    posture = float("Space" in held) - float("C" in held)
    if posture:
        ankles = np.where(ankles >= 0, posture, ankles)
    return np.stack([hips, ankles], 1).reshape(-1).astype(np.float32)


def _add_geom(body, name: str, kind, radius: float, rgba, end=None) -> None:
    """Adds a sphere at the body's origin, or a capsule from there to `end`."""
    geom = body.add_geom(name=name, type=kind, density=_DENSITY, rgba=rgba, contype=0, conaffinity=0)
    geom.size[0] = radius
    if end is not None:
        geom.fromto = [0, 0, 0, *end]


def _add_hinge(spec, body, name: str, axis, limits: tuple[float, float]) -> None:
    joint = body.add_joint(name=name, axis=axis, range=limits, damping=_KD, armature=0.02)
    joint.type = mujoco.mjtJoint.mjJNT_HINGE
    servo = spec.add_actuator(name=name, target=name, ctrlrange=limits)
    servo.trntype = mujoco.mjtTrn.mjTRN_JOINT
    servo.set_to_position(kp=_KP)
