"""Starts of an episode: standing, crouching, lying, or thrown into the air."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_arena.geometry import turned
from mjx_arena.tasks.humanoid_pose.body import NQ, STANDING_HEIGHT

STARTS = ("standing", "lying", "thrown")

_NUM_CROUCHES, _NUM_LYING = 16, 1024
_LYING_NOISE = 0.3  # rad of hinges
_THROWN_HEIGHT = 1.5  # m, where the Control Suite lets its humanoid fall from


class Starts:
    """Draws the first `qpos` `[28]` of an episode, for a model from `humanoid.build`.

    Crouching and lying humanoids take one of many poses, put on the floor in advance, and face in any direction.
    """

    def __init__(self, model: mujoco.MjModel):
        self._low, self._high = jnp.asarray(model.jnt_range[1:].T, jnp.float32)
        self._crouching = _on_floor(model, _crouches(model))
        self._lying = _on_floor(model, _lying(model))

    def draw(self, key: chex.PRNGKey, start: str, noise: float) -> jax.Array:
        """Draws `qpos` `[28]` of a start out of `STARTS`; if standing, hinges vary by up to `noise` rad."""
        choices: dict[str, Callable[[], jax.Array]] = {
            "standing": lambda: self.standing(key, noise),
            "lying": lambda: _any(key, self._lying),
            "thrown": lambda: self.thrown(key),
        }
        return choices[start]()

    def standing(self, key: chex.PRNGKey, noise: float) -> jax.Array:
        """Returns `qpos` `[28]` of a humanoid that stands and faces along the world's x axis."""
        root = jnp.array([0, 0, STANDING_HEIGHT, 1, 0, 0, 0])
        return jnp.concatenate([root, noise * jax.random.uniform(key, (NQ - 7,), minval=-1)])

    def crouching(self, key: chex.PRNGKey) -> jax.Array:
        """Draws `qpos` `[28]` between standing and a deep squat."""
        return _any(key, self._crouching)

    def thrown(self, key: chex.PRNGKey) -> jax.Array:
        """Draws `qpos` `[28]` with any orientation and hinges, in the air, as the Control Suite's humanoid starts."""
        k_turn, k_hinges = jax.random.split(key)
        turn = jax.random.normal(k_turn, (4,))
        hinges = jax.random.uniform(k_hinges, (NQ - 7,), minval=self._low, maxval=self._high)
        return jnp.concatenate([jnp.array([0, 0, _THROWN_HEIGHT]), turn / jnp.linalg.norm(turn), hinges])


def _any(key: chex.PRNGKey, poses: jax.Array) -> jax.Array:
    """Draws one of `poses` `[P, 28]` and turns it about the vertical by a random angle."""
    k_pose, k_yaw = jax.random.split(key)
    qpos = poses[jax.random.randint(k_pose, (), 0, len(poses))]
    return qpos.at[3:7].set(turned(qpos[3:7], jax.random.uniform(k_yaw, maxval=2 * jnp.pi)))


def _crouches(model: mujoco.MjModel) -> np.ndarray:
    """Returns poses `[16, 28]` from the reference pose to the model's keyframe `squat`."""
    depth = np.linspace(0, 1, _NUM_CROUCHES)[:, None]
    return (1 - depth) * model.qpos0 + depth * model.key("squat").qpos


def _lying(model: mujoco.MjModel) -> np.ndarray:
    """Draws poses `[1024, 28]` within 10 degrees of the horizontal, on the back, the front or a side."""
    rng = np.random.default_rng(0)
    poses = np.tile(model.qpos0, (_NUM_LYING, 1))
    tilt, roll = rng.uniform(np.deg2rad(80), np.deg2rad(100), _NUM_LYING), rng.uniform(0, 2 * np.pi, _NUM_LYING)
    cos, sin = np.cos(tilt / 2), np.sin(tilt / 2)
    # About its own axis first, and then about the body's side.
    poses[:, 3:7] = np.stack(
        [cos * np.cos(roll / 2), sin * np.sin(roll / 2), sin * np.cos(roll / 2), cos * np.sin(roll / 2)], 1
    )
    low, high = model.jnt_range[1:].T
    poses[:, 7:] = np.clip(rng.uniform(-_LYING_NOISE, _LYING_NOISE, (_NUM_LYING, NQ - 7)), low, high)
    return poses


def _on_floor(model: mujoco.MjModel, poses: np.ndarray) -> jax.Array:
    """Returns `poses` `[P, 28]` with the lowest point of each at the height of the floor."""
    data = mujoco.MjData(model)
    body = model.geom_type != mujoco.mjtGeom.mjGEOM_PLANE  # all capsules, or spheres, whose half length is 0
    radius, half = model.geom_size[body, 0], model.geom_size[body, 1]
    laid = poses.copy()
    for pose in laid:
        mujoco.mju_normalize4(pose[3:7])
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        rise = half * np.abs(data.geom_xmat[body, 8])
        pose[2] -= (data.geom_xpos[body, 2] - rise - radius).min()
    return jnp.asarray(laid, jnp.float32)
