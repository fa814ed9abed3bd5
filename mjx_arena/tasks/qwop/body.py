"""The runner of QWOP: a planar ragdoll of 12 boxes on an endless track.

Sizes, masses, anchors and torques are the original game's, as read in `game/QWOP2.min.js` of Wesleyliao/QWOP-RL and in
bicrick/qwop-python (Apache-2.0): numbers alone. They are in Box2D's units: x ahead, y down, angles clockwise, 10 units
to the metre. In MuJoCo 1 m is 10 units and 1 kg is 1, so gravity is 1 m/s^2, and a torque of 100 units is 1 N m.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from flax import struct

from mjx_arena.bodies.ground import FLOOR, UNSEEN, with_ground
from mjx_arena.tasks.qwop import track

UNIT = 0.1  # m
GROUND = 9.14275  # y of the track, units
FRAME = 0.04  # s, of the game
NQ = 14  # x, height and angle of the torso, then the joints; a hurdle comes after them


class Part(NamedTuple):
    """A box of the runner, in its place at the start of the game, in units and rad."""

    com: tuple[float, float]
    angle: float
    half: tuple[float, float]  # half sizes
    mass: float


class Joint(NamedTuple):
    """A hinge. Its angle is the parent's angle minus the child's angle minus `reference`."""

    child: str
    parent: str
    on_child: tuple[float, float]  # place from the child's centre, in the child's axes
    on_parent: tuple[float, float]  # place from the parent's centre, in the parent's axes
    reference: float
    limits: tuple[float, float]
    torque: float = 0.0  # of its motor, which brakes while no key moves it; 0: no motor


# In the order of the observation.
PARTS = {
    "torso": Part((2.5112, -1.8710), -1.25145, (3.275, 1.425), 18.6675),
    "head": Part((3.8881, -5.6218), 0.06448, (1.075, 1.325), 5.6975),
    "left_arm": Part((4.4179, -2.8066), 0.90401, (1.85, 0.625), 4.625),
    "left_calf": Part((3.1259, 5.5255), -1.59040, (2.5, 0.75), 7.5),
    "left_foot": Part((3.9269, 8.0888), 0.12028, (1.35, 0.675), 10.935),
    "left_forearm": Part((5.8300, -2.8734), -1.20498, (1.75, 0.55), 3.85),
    "left_thigh": Part((2.5649, 1.6481), -2.01772, (2.525, 1.0), 10.1),
    "right_arm": Part((1.1812, -3.5000), -0.52222, (1.95, 0.75), 5.85),
    "right_calf": Part((-0.0725, 5.3479), -0.75889, (2.5, 0.75), 7.5),
    "right_foot": Part((-1.1255, 7.5672), 0.58976, (1.35, 0.725), 11.745),
    "right_forearm": Part((0.4078, -1.0600), -1.75534, (2.225, 0.675), 6.0075),
    "right_thigh": Part((1.6120, 2.0615), 1.48494, (2.65, 1.0), 10.6),
}
# In the order of MuJoCo's coordinates: depth first.
JOINTS = {
    "neck": Joint("head", "torso", (-0.2284, 1.1126), (2.8595, 0.1894), -1.30900, (-0.5, 0.0)),
    "right_shoulder": Joint("right_arm", "torso", (1.2002, 0.0141), (2.0155, -0.9637), -0.78539, (-0.5, 1.5), 1000),
    "right_elbow": Joint("right_forearm", "right_arm", (1.7869, -0.0875), (-1.378, 0.0141), 1.29682, (-0.1, 0.5)),
    "left_shoulder": Joint("left_arm", "torso", (-1.0621, 0.1741), (1.9283, 0.5346), -2.09438, (-2.0, 0.0), 1000),
    "left_elbow": Joint("left_forearm", "left_arm", (-1.2621, 0.1572), (1.6028, -0.1479), 2.09438, (-0.1, 0.5)),
    "right_hip": Joint("right_thigh", "torso", (-2.0962, 0.1854), (-2.1622, -0.6165), -2.71936, (-1.3, 0.7), 6000),
    "right_knee": Joint("right_calf", "right_thigh", (1.9464, 0.2303), (2.0959, 0.2946), 2.28934, (-1.3, 0.3), 3000),
    "right_ankle": Joint("right_foot", "right_calf", (-0.778, -0.2081), (-2.2591, 0.0814), -1.57080, (-0.5, 0.5)),
    "left_hip": Joint("left_thigh", "torso", (1.515, 0.103), (-2.1618, 0.18), 0.72585, (-1.5, 0.5), 6000),
    "left_knee": Joint("left_calf", "left_thigh", (2.0032, 0.2978), (-2.0399, -0.0688), -0.39531, (-1.6, 0.0), 3000),
    "left_ankle": Joint("left_foot", "left_calf", (-0.6271, -0.0664), (-2.4254, 0.139), -1.72443, (-0.5, 0.5)),
}
MOTORS = tuple(name for name, joint in JOINTS.items() if joint.torque)
_FEET = ("left_foot", "right_foot")
_CRAWLING = ("torso", "left_thigh", "right_thigh", "left_calf", "right_calf")  # may touch the track; the rest must not
# N m s^2/rad of the motors, divided by the timestep and limited by the torque: about as much as stays stable.
_GAIN = {"shoulder": 0.08, "hip": 0.8, "knee": 0.48}
_TRACK_FRICTION, _FOOT_FRICTION = 0.2, 0.548  # from the original's 0.2 and 1.5, mixed as in Box2D: sqrt(ab)
HURDLE_AT, GOAL = 50.0, 100.0  # m
_HURDLE = (0.5375, 3.65)  # half its width and height, units: 21.5 by 146 pixels of 1/20 unit
_CORNER = 0.005  # m, radius of the balls at the corners of a box, which are what makes contact


def build(timestep: float, hurdle: bool, drawn: bool = False) -> mujoco.MjSpec:
    """Builds a model of the runner on its track, for engine steps of `timestep` s; at `qpos` 0 joint angles are 0.

    Rotations are about +y, along which the camera looks, so that angles are Box2D's and joints turn the other way.
    `hurdle` adds a post that is hinged to the track at `HURDLE_AT`. `drawn` adds boxes and the track for pictures only,
    which would cost the engine time in every step.
    """
    spec = with_ground(timestep)
    spec.option.gravity = [0, 0, -1]
    spec.option.iterations, spec.option.ls_iterations = 4, 8
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND  # there is only one island
    bodies = {"torso": spec.worldbody.add_body(name="torso")}
    root = bodies["torso"]
    root.add_joint(name="x", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[1, 0, 0])
    root.add_joint(name="height", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, 0, 1])
    root.add_joint(name="angle", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 1, 0])
    for name, joint in JOINTS.items():
        turn = -joint.reference  # of the child in its parent, where the joint's angle is 0
        body = bodies[joint.parent].add_body(
            name=joint.child,
            pos=_metres(np.array(joint.on_parent) - _turned(joint.on_child, turn, np)),
            quat=[np.cos(turn / 2), 0, np.sin(turn / 2), 0],
        )
        hinge = body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, -1, 0], range=joint.limits)
        hinge.pos = _metres(joint.on_child)
        bodies[joint.child] = body
        if joint.torque:
            motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
            motor.set_to_velocity(kv=_GAIN[name.split("_")[1]] / timestep)
            motor.forcerange = np.array([-1, 1]) * joint.torque * UNIT**2
    for name, part in PARTS.items():
        _add_part(spec, bodies[name], name, part, drawn)
    # The game turns the head upright by a torque without a reaction: a spring between the head and the world.
    spring = spec.add_tendon(name="head", stiffness=4 * UNIT**2)
    spring.springlength = [JOINTS["neck"].reference - 0.2] * 2
    spring.wrap_joint("angle", 1)
    spring.wrap_joint("neck", -1)
    if hurdle:
        _add_hurdle(spec)
    if drawn:
        track.draw(spec, GOAL)
    return spec


def start() -> np.ndarray:
    """Returns `qpos` `[14]` of the runner at the start of the game."""
    torso = PARTS["torso"]
    angles = [PARTS[joint.parent].angle - PARTS[joint.child].angle - joint.reference for joint in JOINTS.values()]
    return np.array([torso.com[0] * UNIT, (GROUND - torso.com[1]) * UNIT, torso.angle, *angles])


class Pose(struct.PyTreeNode):
    """Places and motions of the 12 boxes, in the order of `PARTS` and in the game's units: y is down."""

    position: jax.Array  # [12, 2] of the centres
    angle: jax.Array  # [12] rad
    velocity: jax.Array  # [12, 2] units/s

    @classmethod
    def read(cls, qpos: jax.Array, qvel: jax.Array) -> "Pose":
        """Reads the pose from `qpos` and `qvel` `[>= 14]`, of which the first 14 are the runner's."""
        flip = jnp.array([1, -1]) / UNIT
        position = {"torso": qpos[:2] * flip + jnp.array([0, GROUND])}
        velocity = {"torso": qvel[:2] * flip}
        angle, rate = {"torso": qpos[2]}, {"torso": qvel[2]}
        for index, (child, parent, on_child, on_parent, reference, *_) in enumerate(JOINTS.values(), start=3):
            angle[child] = angle[parent] - qpos[index] - reference
            rate[child] = rate[parent] - qvel[index]
            arms = [_turned(on_parent, angle[parent]), -_turned(on_child, angle[child])]
            rates = [rate[parent], rate[child]]
            position[child] = position[parent] + sum(arms)
            velocity[child] = velocity[parent] + sum(
                rate * jnp.stack([-arm[1], arm[0]]) for rate, arm in zip(rates, arms, strict=True)
            )
        return cls(*(jnp.stack([values[name] for name in PARTS]) for values in (position, angle, velocity)))

    @property
    def clearance(self) -> jax.Array:
        """Returns the heights of the boxes' lowest corners above the track `[12]`, units."""
        half = jnp.array([part.half for part in PARTS.values()])
        reach = half[:, 0] * jnp.abs(jnp.sin(self.angle)) + half[:, 1] * jnp.abs(jnp.cos(self.angle))
        return GROUND - self.position[:, 1] - reach


def _add_part(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, part: Part, drawn: bool) -> None:
    """Adds the mass of a box, balls at its corners if it may touch the track, and if `drawn` the box."""
    half = np.array(part.half) * UNIT
    side, kind = (name.split("_") + [""])[:2]
    depth = {"forearm": 0.045, "calf": 0.045, "foot": 0.04}.get(kind, 0.05)
    body.explicitinertial, body.mass, body.ipos = True, part.mass, [0, 0, 0]
    across, around = half[0] ** 2 + half[1] ** 2, depth**2
    body.inertia = part.mass / 3 * np.array([half[1] ** 2 + around, across, half[0] ** 2 + around])
    if drawn:  # limbs are moved apart in depth, which only pictures show, and the head stands out of the torso
        aside = {"left": 0.11, "right": -0.11}.get(side, 0)
        box, size = mujoco.mjtGeom.mjGEOM_BOX, [half[0], depth + 0.006 * (name == "head"), half[1]]
        body.add_geom(name=name, type=box, pos=[0, aside, 0], size=size, rgba=_COLOUR[side], **UNSEEN)
    if name not in _FEET + _CRAWLING:
        return
    friction = _FOOT_FRICTION if name in _FEET else _TRACK_FRICTION
    for index, (x, z) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        corner = body.add_geom(name=f"{name}_{index}", size=[_CORNER, 0, 0], mass=0, contype=0, conaffinity=0, group=3)
        corner.pos = [x * (half[0] - _CORNER), 0, z * (half[1] - _CORNER)]
        pair = spec.add_pair(geomname1=FLOOR, geomname2=corner.name, condim=3)
        pair.friction[:2] = friction


def _add_hurdle(spec: mujoco.MjSpec) -> None:
    """Adds the post, of the density of the runner's boxes, which collides with the parts that may touch the track."""
    width, height = np.array(_HURDLE) * UNIT
    body = spec.worldbody.add_body(name="hurdle", pos=[HURDLE_AT, 0, 0])
    body.add_joint(name="hurdle", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 1, 0])
    post = body.add_geom(name="hurdle", type=mujoco.mjtGeom.mjGEOM_BOX, pos=[0, 0, height], mass=4 * np.prod(_HURDLE))
    post.size, post.contype, post.conaffinity, post.rgba = [width, 0.2, height], 0, 0, (0.8, 0.3, 0.25, 1)
    for name in _FEET + _CRAWLING:
        for index in range(4):
            pair = spec.add_pair(geomname1="hurdle", geomname2=f"{name}_{index}", condim=3)
            pair.friction[:2] = _TRACK_FRICTION


_COLOUR = {
    "torso": (0.95, 0.95, 0.92, 1),
    "head": (0.92, 0.70, 0.54, 1),
    "left": (0.12, 0.32, 0.90, 1),
    "right": (0.95, 0.45, 0.10, 1),
}


def _metres(vector: np.ndarray | tuple[float, float]) -> list[float]:
    """Converts (x, y down) in units to MuJoCo's (x, y, z up) in m."""
    return [vector[0] * UNIT, 0, -vector[1] * UNIT]


def _turned(vector: tuple[float, float], angle, xp=jnp):
    """Returns `vector` `[2]` turned clockwise by `angle` `[]` rad; `xp` is `jnp` or `np`."""
    cos, sin = xp.cos(angle), xp.sin(angle)
    return xp.stack([cos * vector[0] - sin * vector[1], sin * vector[0] + cos * vector[1]])
