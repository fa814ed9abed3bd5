"""Humanoid poses: one humanoid learns what a reward of the folder `rewards` pays for, without reference motion.

An episode succeeds, with outcome +1, if its last steps all meet the reward's goal; otherwise, or if the torso falls too
low, it fails, with -1. Nothing is rated: there is no opponent.
"""

from dataclasses import dataclass, field

import chex
import jax
import jax.numpy as jnp
from flax import struct

from mjx_arena.arena import Arena, TaskSettings
from mjx_arena.physics import PhysicsSettings, make_physics
from mjx_arena.pushes import draw_pushes, push_at
from mjx_arena.reward_terms import pay
from mjx_arena.shaping import Ramp
from mjx_arena.symmetry import Symmetry
from mjx_arena.tasks.humanoid_pose import body as humanoid
from mjx_arena.tasks.humanoid_pose.body import CONTACTS, NUM_MOTORS, NV, HumanoidState
from mjx_arena.tasks.humanoid_pose.rewards import REWARDS
from mjx_arena.tasks.humanoid_pose.starts import STARTS, Starts
from mjx_arena.types import ArenaState, Box, Progress, TimeStep, View
from mjx_arena.validation import checker


@dataclass(frozen=True)
class HumanoidPoseSettings(TaskSettings):
    """Settings of humanoid poses; None stands for the value that the reward brings."""

    name: str = "humanoid_pose"  # name of the game
    reward: str = "stand"  # stand, kneel, walk, getup; seed_stand, seed_kneel; dm_stand, dm_walk, dm_run
    # contacts with the floor: feet, limbs or floor (all); full: limbs also touch each other; null: the reward's own
    contacts: str | None = None
    start: str | None = None  # standing, lying, or thrown (as in the Control Suite); null: the reward's own
    substeps: int | None = None  # engine steps of 5 ms in one control step; null: the reward's own
    time_limit: int | None = None  # control steps of an episode; null: the reward's own
    practice_share: float = 0.0  # share of episodes that begin between standing and squatting, and that a fall ends
    practice_steps: int = 150  # control steps of a practice episode, at most
    # share of the weight that pulls the torso up, over training; drawn for each episode, uniform from 0 to this
    lift: Ramp = field(default_factory=Ramp)
    start_noise: float = 0.05  # rad, most that hinges vary at a standing start, uniform
    start_speed: float = 0.2  # m/s and rad/s, most of each velocity at the start, uniform
    push_interval: int = 150  # control steps between two pushes
    push_speed: tuple[float, float] = (0.0, 0.5)  # m/s, least and most that a push adds to the whole body, uniform

    def validate(self, prefix: str = "task") -> None:
        check = checker(self, prefix)
        check(self.reward in REWARDS, "reward", f"there is no such reward; choose one of {', '.join(REWARDS)}")
        for key, choices in (("contacts", CONTACTS), ("start", STARTS)):
            known = getattr(self, key) is None or getattr(self, key) in choices
            check(known, key, f"must be one of {', '.join(choices)}, or null for the reward's own")
        for key in ("substeps", "time_limit"):
            check(getattr(self, key) is None or getattr(self, key) >= 1, key, "must be at least 1, or null")
        check(0 <= self.practice_share <= 1, "practice_share", "must lie between 0 and 1")
        check(self.practice_steps >= 1, "practice_steps", "must be at least 1")
        self.lift.validate(f"{prefix}.lift")
        for key in ("start_noise", "start_speed"):
            check(getattr(self, key) >= 0, key, "must not be negative")
        check(self.push_interval >= 1, "push_interval", "must be at least 1")
        low_high = self.push_speed
        check(
            len(low_high) == 2 and 0 <= low_high[0] <= low_high[1],
            "push_speed",
            "must be [low, high], 0 <= low <= high",
        )


class PoseMemory(struct.PyTreeNode):
    """The task's part of the state of an episode."""

    pushes: jax.Array  # [K, 1, 2] m/s, see `mjx_arena.pushes`
    in_pose: jax.Array  # [] int32: number of control steps, up to the latest, that all met the goal
    practice: jax.Array  # [] bool: a practice episode, which begins between standing and squatting
    lift: jax.Array  # [] share of the weight that an episode is pulled up by, at most
    lift_share: jax.Array  # [] what part of `lift` pulls in this episode, in [0, 1]


class HumanoidPose(Arena):
    """The `Arena` of one agent: 21 motors, in the order of the model's actuators, and 67 observations."""

    settings_type = HumanoidPoseSettings
    version = 1
    observation_size = 67
    action = Box(NUM_MOTORS)
    view = View(distance=4.0)

    def __init__(self, settings: HumanoidPoseSettings, physics: PhysicsSettings):
        super().__init__(settings, physics)
        self.reward = REWARDS[settings.reward]
        self.substeps = settings.substeps or self.reward.substeps
        self.time_limit = settings.time_limit or self.reward.time_limit
        self.mj_spec = humanoid.build(settings.contacts or self.reward.contacts)
        self.physics = make_physics(self.mj_spec, physics)
        self.mj_model = self.physics.model
        self.action_names = tuple(self.mj_model.actuator(index).name for index in range(NUM_MOTORS))
        self.observation_names = humanoid.observation_names(self.mj_model)
        self.symmetry = Symmetry(
            observation=humanoid.reflection(self.observation_names),
            action=humanoid.reflection(self.action_names),
            state=self._reflected,
            seats=(0,),
        )
        self.control_dt = float(self.mj_model.opt.timestep) * self.substeps
        self._weight = float(self.mj_model.body_mass.sum() * -self.mj_model.opt.gravity[2])
        self._reader, self._starts = humanoid.HumanoidSensors(self.mj_model), Starts(self.mj_model)

    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        del phase
        s = self.settings
        key, k_pose, k_speed, k_push, k_practice, k_lift = jax.random.split(key, 6)
        practice = jax.random.uniform(k_practice) < s.practice_share
        qpos = jnp.where(
            practice,
            self._starts.crouching(k_pose),
            self._starts.draw(k_pose, s.start or self.reward.start, s.start_noise),
        )
        qvel = s.start_speed * jax.random.uniform(k_speed, (NV,), minval=-1)
        pushes = draw_pushes(k_push, 1, self.time_limit, s.push_interval, s.push_speed)
        memory = PoseMemory(
            pushes=pushes,
            in_pose=jnp.int32(0),
            practice=practice,
            lift=jnp.float32(s.lift.start),
            lift_share=jax.random.uniform(k_lift),
        )
        state = ArenaState(self.physics.init(qpos, qvel), key, jnp.int32(0), memory)
        moment = self._reader.read(state.physics, jnp.zeros(NUM_MOTORS), jnp.float32(0))
        return state, self._timestep(state, moment, started=False)

    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        action = jnp.clip(action, -1, 1)
        push = push_at(state.memory.pushes, state.step_count, self.settings.push_interval)[0]
        pushed = state.physics.replace(qvel=state.physics.qvel.at[:2].add(push))
        pull = state.memory.lift * state.memory.lift_share * self._weight
        applied = jnp.zeros(NV).at[2].set(pull)
        physics = self.physics.step(pushed, self.controls(state, action), self.substeps, applied)
        step_count = state.step_count + 1
        moment = self._reader.read(physics, action[0], step_count * self.control_dt)
        in_pose = jnp.where(self.reward.goal(moment), state.memory.in_pose + 1, 0)
        state = state.replace(physics=physics, step_count=step_count, memory=state.memory.replace(in_pose=in_pose))
        return state, self._timestep(state, moment)

    def progressed(self, state: ArenaState, progress: Progress) -> ArenaState:
        """Sets the share of the weight that pulls the torso up."""
        return state.replace(memory=state.memory.replace(lift=self.settings.lift.at(progress.arena_steps)))

    def controls(self, state: ArenaState, action: jax.Array) -> jax.Array:
        """Returns the controls of the motors `[21]`."""
        del state
        return action[0]

    def _reflected(self, state: ArenaState) -> ArenaState:
        """Returns an episode with left and right exchanged."""
        pushes = state.memory.pushes * jnp.array([1, -1])
        physics = humanoid.reflected_physics(self.mj_model, state.physics)
        return state.replace(physics=physics, memory=state.memory.replace(pushes=pushes))

    def _timestep(self, state: ArenaState, moment: HumanoidState, started: bool = True) -> TimeStep:
        reward, terms = self.reward.function(moment)
        in_pose = state.memory.in_pose
        lowest = jnp.where(state.memory.practice, max(self.reward.lowest, _PRACTISED), self.reward.lowest)
        fallen = (moment.height < lowest) & started
        limit = jnp.where(state.memory.practice, self.settings.practice_steps, self.time_limit)
        success = (in_pose >= min(self.reward.hold, self.time_limit)) & ~fallen
        _, metrics = pay(terms)  # a reward may be more than the sum of its terms
        return TimeStep(
            observation=humanoid.observation(moment)[None],
            reward=jnp.where(started, reward, 0)[None],
            terminated=fallen,
            truncated=~fallen & (state.step_count >= limit),
            outcome=jnp.where(success, 1.0, -1.0)[None],
            alive=jnp.ones(1, bool),
            rated=jnp.bool_(False),
            action_mask=None,
            metrics=metrics | {"pose/in_pose": (in_pose > 0).astype(jnp.float32), "pose/height": moment.height},
        )


_PRACTISED = 0.5  # m, height of the torso below which practice fails, so that most of it is spent on the feet
