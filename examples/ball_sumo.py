"""A game of one's own in a file: two balls on a disc push each other, and the one that leaves it loses.

Train it with `python scripts/train.py game_file=examples/ball_sumo.py physics=native`. Beside it lies `ball_sumo.yaml`,
with settings for training and the pairings that `evaluate.py` plays.
"""

from dataclasses import dataclass, field

import chex
import jax
import jax.numpy as jnp
import mujoco

from mjx_arena import Arena, ArenaState, Box, PhysicsSettings, TaskSettings, TimeStep, View
from mjx_arena.physics import make_physics
from mjx_arena.reward_terms import pay
from mjx_arena.symmetry import Reflection, Symmetry, reflected_physics
from mjx_arena.validation import checker, require_not_negative

_RADIUS = 0.2  # m of a ball
_ACROSS = Reflection((0, 1, 2, 3), (1, -1, 1, -1))  # of (x, y) of both balls


@dataclass(frozen=True)
class BallSumoRewards:
    """Weights of what is paid: the result once, the push in every control step."""

    win: float = 5.0  # x the outcome
    push: float = 1.0  # x m by which the opponent has moved away from the centre

    def validate(self, prefix: str) -> None:
        require_not_negative(self, prefix, "must not be negative")


@dataclass(frozen=True)
class BallSumoSettings(TaskSettings):
    """Settings of the game."""

    name: str = "ball_sumo"
    time_limit: int = 300  # control steps of 40 ms
    disc_radius: float = 1.5  # m
    start_distance: float = 0.8  # m from the centre
    reward: BallSumoRewards = field(default_factory=BallSumoRewards)

    @property
    def num_agents(self) -> int:
        return 2

    @property
    def weights(self) -> tuple[str, ...]:
        return ("reward",)

    def validate(self, prefix: str = "task") -> None:
        check = checker(self, prefix)
        check(self.time_limit >= 1, "time_limit", "must be at least 1")
        fits = _RADIUS < self.start_distance < self.disc_radius
        check(fits, "start_distance", f"must lie between {_RADIUS} and disc_radius")
        self.reward.validate(f"{prefix}.reward")


class BallSumo(Arena):
    """Two balls; each agent pushes its own with a force on the ground's plane."""

    settings_type = BallSumoSettings
    version = 1
    observation_size = 7
    action = Box(2)
    view = View(distance=5.0, lookat=(0.0, 0.0, 0.0), seats=("red", "blue"), colours=((0.9, 0.2, 0.2), (0.2, 0.4, 0.9)))
    control_dt = 0.04
    symmetry = Symmetry(  # every vector is (ahead, left)
        observation=Reflection(tuple(range(7)), (1, -1, 1, -1, 1, -1, 1)),
        action=Reflection((0, 1), (1, -1)),
        state=lambda state: state.replace(physics=reflected_physics(state.physics, _ACROSS, _ACROSS)),
        seats=(0, 1),
    )

    def __init__(self, settings: BallSumoSettings, physics: PhysicsSettings):
        super().__init__(settings, physics)
        self.mj_spec = _build(settings.disc_radius)
        self.physics = make_physics(self.mj_spec, physics)
        self.mj_model, self.time_limit = self.physics.model, settings.time_limit

    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        key, k_angle = jax.random.split(key)
        angle = jax.random.uniform(k_angle, maxval=2 * jnp.pi)
        place = self.settings.start_distance * jnp.array([jnp.cos(angle), jnp.sin(angle)])
        physics = self.physics.init(jnp.concatenate([place, -place]), jnp.zeros(4))
        state = ArenaState(physics, key, jnp.int32(0), memory=())
        return state, self._timestep(state, state, jnp.zeros(2, bool))

    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        physics = self.physics.step(state.physics, self.controls(state, jnp.clip(action, -1, 1)), n_substeps=4)
        after = state.replace(physics=physics, step_count=state.step_count + 1)
        out = jnp.linalg.norm(physics.qpos.reshape(2, 2), axis=-1) > self.settings.disc_radius
        return after, self._timestep(state, after, out)

    def controls(self, state: ArenaState, action: jax.Array) -> jax.Array:
        # An agent acts in the frame in which the opponent lies ahead, for seats to be interchangeable.
        return _turned(action, _ahead(state.physics.qpos.reshape(2, 2))).reshape(-1)

    def _timestep(self, before: ArenaState, state: ArenaState, out: jax.Array) -> TimeStep:
        place, speed = state.physics.qpos.reshape(2, 2), state.physics.qvel.reshape(2, 2)
        moved = jnp.linalg.norm(place, axis=-1) - jnp.linalg.norm(before.physics.qpos.reshape(2, 2), axis=-1)
        outcome = out[::-1].astype(jnp.float32) - out
        reward, metrics = pay({"win": outcome, "push": moved[::-1]}, vars(self.settings.reward))
        ahead = _ahead(place) * jnp.array([1, -1])  # from the world into an agent's frame
        own = [_turned(x, ahead) for x in (-place, place[::-1] - place, speed)]
        left = jnp.full((2, 1), 1 - state.step_count / self.time_limit)
        return TimeStep(
            observation=jnp.concatenate([*own, left], -1),
            reward=reward,
            terminated=out.any(),
            truncated=~out.any() & (state.step_count >= self.time_limit),
            outcome=outcome,
            alive=jnp.ones(2, bool),
            rated=jnp.bool_(True),
            action_mask=None,
            metrics=metrics,
        )


def _ahead(place: jax.Array) -> jax.Array:
    """Unit vectors `[2, 2]` from each ball to the other."""
    gap = place[::-1] - place
    return gap / jnp.maximum(jnp.linalg.norm(gap, axis=-1, keepdims=True), 1e-6)


def _turned(vector: jax.Array, by: jax.Array) -> jax.Array:
    """Vectors `[2, 2]` turned by the angles of unit vectors `[2, 2]`."""
    (x, y), (cos, sin) = vector.T, by.T
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], -1)


def _build(disc_radius: float) -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    spec.option.timestep, spec.option.iterations, spec.option.ls_iterations = 0.01, 4, 8
    disc = {"type": mujoco.mjtGeom.mjGEOM_CYLINDER, "size": [disc_radius, 0.05, 0], "pos": [0, 0, -0.05]}
    spec.worldbody.add_geom(name="disc", contype=0, conaffinity=0, rgba=[0.8, 0.8, 0.7, 1], **disc)
    spec.worldbody.add_light(pos=[0, 0, 4])
    for name, colour in (("red", [0.9, 0.2, 0.2, 1]), ("blue", [0.2, 0.4, 0.9, 1])):
        ball = spec.worldbody.add_body(name=name, pos=[0, 0, _RADIUS])
        ball.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[_RADIUS, 0, 0], mass=1, rgba=colour)
        for axis in ([1, 0, 0], [0, 1, 0]):
            joint = ball.add_joint(
                name=f"{name}_{'xy'[axis[1]]}", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=axis, damping=0.5
            )
            motor = spec.add_actuator(name=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT, target=joint.name)
            motor.gainprm[0] = 4.0  # N
    return spec
