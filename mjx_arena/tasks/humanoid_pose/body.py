"""MuJoCo's humanoid: 21 motors on 13 limbs and a head, read from MuJoCo's model file, whose licence is next to it.

Units: m, kg, rad. Standing is the model's reference pose, with the soles on the floor.
"""

from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import mujoco
from flax import struct

from mjx_arena import symmetry
from mjx_arena.bodies.ground import light
from mjx_arena.bodies.posture import XYZ, named
from mjx_arena.geometry import rotation_matrix
from mjx_arena.symmetry import Reflection
from mjx_arena.types import PhysicsState

STANDING_HEIGHT = 1.282  # of the torso's origin
NUM_MOTORS = 21
NQ, NV = 28, 27
# Geoms that touch the floor. `full` is the model as it is shipped, where limbs touch one another too.
_FEET = ("foot1_right", "foot2_right", "foot1_left", "foot2_left")
_LIMBS = ("shin_right", "shin_left", "hand_right", "hand_left", "head", "butt")
_REST = ("torso", "waist_upper", "waist_lower", "thigh_right", "thigh_left")
_ARMS = ("upper_arm_right", "upper_arm_left", "lower_arm_right", "lower_arm_left")
CONTACTS: dict[str, tuple[str, ...] | None] = {
    "feet": _FEET,
    "limbs": _FEET + _LIMBS,
    "floor": _FEET + _LIMBS + _REST + _ARMS,
    "full": None,
}

_ASSET = Path(__file__).parent / "assets" / "humanoid.xml"
_HEAD = 0.19  # of the head's centre above the torso's origin
_SENSED = ("foot_right", "foot_left", "shin_right", "shin_left")  # a shin's origin is the knee


def build(contacts: str, iterations: int = 4) -> mujoco.MjSpec:
    """Builds a model of the humanoid and its floor, with sensors for `HumanoidState` and contacts out of `CONTACTS`."""
    spec = mujoco.MjSpec.from_file(str(_ASSET))
    spec.option.iterations, spec.option.ls_iterations = iterations, 2 * iterations
    sky = next(texture for texture in spec.textures if texture.type == mujoco.mjtTexture.mjTEXTURE_SKYBOX)
    light(spec, spec.texture("grid"), sky)
    spec.material("grid").reflectance, spec.material("body").rgba = 0, [1.0, 0.75, 0.5, 1]
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_EULERDAMP  # else MJX inverts a matrix in every step
    touching = CONTACTS[contacts]
    if touching is not None:
        for geom in spec.geoms:
            geom.contype = int(geom.name == "floor")  # limbs touch the floor but not each other
            geom.conaffinity = int(geom.name in touching)
    torso = {"objtype": mujoco.mjtObj.mjOBJ_BODY, "objname": "torso"}
    spec.add_sensor(name="com", type=mujoco.mjtSensor.mjSENS_SUBTREECOM, **torso)
    spec.add_sensor(name="com_velocity", type=mujoco.mjtSensor.mjSENS_SUBTREELINVEL, **torso)
    for body in _SENSED:
        where = {"objtype": mujoco.mjtObj.mjOBJ_XBODY, "objname": body}
        spec.add_sensor(name=body, type=mujoco.mjtSensor.mjSENS_FRAMEPOS, **where)
    return spec


class HumanoidState(struct.PyTreeNode):
    """The posture and motion of a humanoid, from which rewards are computed; in m and world coordinates by default."""

    position: jax.Array  # [3] m, of the torso
    rotation: jax.Array  # [3, 3] from the torso's coordinates to the world's
    velocity: jax.Array  # [3] m/s, of the torso
    spin: jax.Array  # [3] rad/s, of the torso, in its own coordinates
    com: jax.Array  # [3] m, centre of mass
    com_velocity: jax.Array  # [3] m/s, of the centre of mass
    feet: jax.Array  # [2, 3] m, right and left
    knees: jax.Array  # [2, 3] m, right and left
    hinges: jax.Array  # [21] rad
    hinge_speeds: jax.Array  # [21] rad/s
    action: jax.Array  # [21] in [-1, 1], of the control step that led here
    torque: jax.Array  # [21] N m of the motors
    power: jax.Array  # [21] W that each motor gives to its hinge
    time: jax.Array  # [] s since the episode began

    @property
    def height(self) -> jax.Array:
        """Returns the height of the torso's origin `[]`, m."""
        return self.position[2]

    @property
    def up(self) -> jax.Array:
        """Returns the torso's up axis `[3]`."""
        return self.rotation[:, 2]

    @property
    def head_height(self) -> jax.Array:
        """Returns the height of the head's centre `[]`, m."""
        return self.position[2] + _HEAD * self.up[2]

    @property
    def tilt(self) -> jax.Array:
        """Returns the angle `[]` between the torso and the vertical, rad."""
        return jnp.arccos(jnp.clip(self.up[2], -1, 1))

    def seen_from_torso(self, vector: jax.Array) -> jax.Array:
        """Returns world vectors `[..., 3]` in the torso's coordinates, which are well defined in any posture."""
        return vector @ self.rotation


class HumanoidSensors:
    """The reader of `HumanoidState`s, for a model from `build`."""

    def __init__(self, model: mujoco.MjModel):
        joints = model.actuator_trnid[:, 0]
        self._speed_of_motor = model.jnt_dofadr[joints] - 6  # motors are not in the order of the hinges
        self._gear = model.actuator_gear[:, 0]

    def read(self, physics: PhysicsState, action: jax.Array, time: jax.Array) -> HumanoidState:
        """Reads the state that `action` `[21]` led to, `time` `[]` s after the start of the episode."""
        com, com_velocity, *bodies = physics.sensordata.reshape(2 + len(_SENSED), 3)
        torque, speeds = jnp.asarray(self._gear) * action, physics.qvel[6:]
        return HumanoidState(
            position=physics.qpos[:3],
            rotation=rotation_matrix(physics.qpos[3:7]),
            velocity=physics.qvel[:3],
            spin=physics.qvel[3:6],
            com=com,
            com_velocity=com_velocity,
            feet=jnp.stack(bodies[:2]),
            knees=jnp.stack(bodies[2:]),
            hinges=physics.qpos[7:],
            hinge_speeds=speeds,
            action=action,
            torque=torque,
            power=torque * speeds[self._speed_of_motor],
            time=time,
        )


def observation_names(model: mujoco.MjModel) -> tuple[str, ...]:
    """Returns the names of what `observation` returns, for a model from `build`."""
    hinges = [model.joint(index).name for index in range(1, model.njnt)]
    return (
        "height",
        *named("vertical", XYZ),
        *named("world's x axis", XYZ),
        *named("velocity", XYZ),
        *named("spin", XYZ),
        *named("angle", hinges),
        *named("speed", hinges),
        *(
            name
            for vector in ("centre of mass", "its velocity", "right foot", "left foot")
            for name in named(vector, XYZ)
        ),
    )


def reflection(names: Sequence[str]) -> Reflection:
    """Returns the reflection of what is observed, of motors or of hinges, by their names.

    Limbs change sides. Their axes on the left are those on the right in a mirror, in the model itself, so that only two
    angles of the waist change their signs.
    """
    return symmetry.by_names(names, _is_odd, symmetry.other_side)


def reflected_physics(model: mujoco.MjModel, physics: PhysicsState) -> PhysicsState:
    """Returns the image of an engine's state, for a model from `build`."""
    hinges = reflection([model.joint(index).name for index in range(1, model.njnt)])
    measured = [f"{body} {axis}" for body in ("com", "com_velocity", *_SENSED) for axis in XYZ]
    sensors = reflection(measured)
    position, velocity = (symmetry.joined(free, hinges) for free in (symmetry.FREE_POSITION, symmetry.FREE_VELOCITY))
    return symmetry.reflected_physics(physics, position, velocity, sensors)


def _is_odd(name: str) -> bool:
    return name.endswith(("abdomen_x", "abdomen_z")) or symmetry.is_odd(name)


def observation(m: HumanoidState) -> jax.Array:
    """Returns the observation `[67]`: posture, velocities and the world's up and x axes, in torso coordinates."""
    parts = [
        m.height[None],
        m.rotation[2],  # the world's up axis
        m.rotation[0],  # the world's x axis, which walkers follow
        m.seen_from_torso(m.velocity),
        m.spin,
        m.hinges,
        0.1 * m.hinge_speeds,
        m.seen_from_torso(m.com - m.position),
        m.seen_from_torso(m.com_velocity),
        m.seen_from_torso(m.feet - m.position).reshape(6),
    ]
    return jnp.concatenate(parts)
