"""Ant sumo: push the other ant out of the ring. An ant also loses once its torso has been on the ground for too long.

The rules are those of TimeChamber's Ant Sumo. If both lose in one step, or at the time limit, the match is a draw.
"""

from dataclasses import dataclass, field

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mjx_arena.arena import Arena, TaskSettings
from mjx_arena.bodies import ant
from mjx_arena.bodies.posture import SEEN, Posture
from mjx_arena.physics import PhysicsSettings, make_physics
from mjx_arena.reward_terms import pay
from mjx_arena.shaping import ShapingSettings
from mjx_arena.symmetry import Symmetry, by_names, is_odd, joined
from mjx_arena.types import ArenaState, Box, Progress, TimeStep, View
from mjx_arena.validation import checker, require_not_negative


@dataclass(frozen=True)
class SumoRewards:
    """Weights of the result and of the shaping terms, which the weight of `task.shaping` multiplies in addition.

    `approach` and `push` pay for changes of distances, so going back and forth or in circles earns nothing.
    """

    win: float = 10.0  # paid once, for a win
    lose: float = 10.0  # subtracted once, for a loss
    draw: float = 10.0  # subtracted once, for a draw
    time: float = 0.01  # subtracted in each control step, so that a risk is worth more than holding each other
    approach: float = 1.0  # x m by which the two ants have come closer
    push: float = 1.8  # x m by which the opponent has moved away from the centre of the ring
    low: float = 0.01  # subtracted in each control step with the torso on the ground
    control: float = 0.001  # x mean squared action, subtracted in each control step

    def validate(self, prefix: str) -> None:
        require_not_negative(self, prefix, "must not be negative; the signs are the task's")


@dataclass(frozen=True)
class AntSumoSettings(TaskSettings):
    """Settings of ant sumo."""

    name: str = "ant_sumo"  # name of the game
    time_limit: int = 1000  # control steps of 1/60 s; then the match is a draw
    substeps: int = 2  # engine steps in one control step of 1/60 s
    ring_radius: float = 3.0  # m, of the ring; an ant loses once its torso is that far from the centre
    hit_points: int = 100  # control steps with the torso on the ground, in all, after which an ant loses
    low_height: float = 0.31  # m, height of the torso's centre below which it counts as on the ground
    start_radius: tuple[float, float] = (1.2, 2.2)  # m, least and most from the centre at the start, uniform
    start_yaw: float = 0.5  # rad, most that an ant faces away from the centre at the start, uniform
    start_noise: float = 0.1  # rad and rad/s, most that hinges and their speeds vary at the start, uniform
    shaping: ShapingSettings = field(
        default_factory=ShapingSettings
    )  # weight of what is paid on the way to the result, over training
    reward: SumoRewards = field(default_factory=SumoRewards)  # weights of the reward terms

    @property
    def num_agents(self) -> int:
        return 2

    @property
    def weights(self) -> tuple[str, ...]:
        return ("reward", "shaping")

    def validate(self, prefix: str = "task") -> None:
        check = checker(self, prefix)
        for key in ("time_limit", "substeps", "hit_points"):
            check(getattr(self, key) >= 1, key, "must be at least 1")
        for key in ("start_yaw", "start_noise"):
            check(getattr(self, key) >= 0, key, "must not be negative")
        low, high = self.start_radius
        check(
            ant.REACH <= low <= high < self.ring_radius,
            "start_radius",
            f"must be [low, high] in [{ant.REACH:.2f}, ring_radius)",
        )
        check(0 <= self.low_height < ant.STANDING_HEIGHT, "low_height", f"must lie in [0, {ant.STANDING_HEIGHT:.2f}) m")
        self.shaping.validate(f"{prefix}.shaping")
        self.reward.validate(f"{prefix}.reward")
        most = self.reward.approach * 2 * high + self.reward.push * self.ring_radius
        self.shaping.check_result(f"{prefix}.reward.win", self.reward.win, most)


_SITUATION = ("health", "distance to the edge", "centre ahead", "centre left", *SEEN, "other: health", "time left")


class SumoMemory(struct.PyTreeNode):
    """The task's part of the state of a match."""

    hit_points: jax.Array  # [2] int32
    shaping: jax.Array  # [] weight of the shaping terms


class AntSumo(Arena):
    """The `Arena` of two ants: 8 position targets each, in the order of the hinges, and 44 observations."""

    settings_type = AntSumoSettings
    version = 1
    observation_names = (*ant.FELT, *_SITUATION)
    observation_size = len(observation_names)
    action = Box(ant.NUM_HINGES)
    action_names = ant.HINGES
    keyboard = ant.KEYBOARD
    symmetry = Symmetry(
        observation=joined(ant.REFLECTED_FELT, by_names(_SITUATION, is_odd)),
        action=ant.REFLECTED_HINGES,
        state=lambda state: state.replace(physics=ant.reflected(state.physics, (0, 1))),
        seats=(0, 1),
    )
    view = View(distance=8.5, lookat=(0.0, 0.0, 0.2), seats=ant.COLOUR_NAMES, colours=ant.COLOURS)

    def __init__(self, settings: AntSumoSettings, physics: PhysicsSettings):
        super().__init__(settings, physics)
        spec = ant.build_ants(2, 1 / 60 / settings.substeps, settings.ring_radius)
        self.physics = make_physics(spec, physics)
        self.mj_spec = drawn = ant.draw_edge(spec, settings.ring_radius)
        self.mj_model = drawn.compile()
        self.control_dt = float(self.mj_model.opt.timestep) * settings.substeps
        self.time_limit = settings.time_limit

    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        del phase
        s = self.settings
        key, k_angle, k_radius, k_stance = jax.random.split(key, 4)
        angle = jax.random.uniform(k_angle, maxval=2 * jnp.pi) + jnp.array([0, jnp.pi])
        radius = jax.random.uniform(k_radius, minval=s.start_radius[0], maxval=s.start_radius[1])
        qpos, qvel = ant.start(k_stance, angle, radius, s.start_yaw, s.start_noise)
        memory = SumoMemory(hit_points=jnp.full(2, s.hit_points), shaping=jnp.float32(s.shaping.start))
        state = ArenaState(self.physics.init(qpos, qvel), key, jnp.int32(0), memory)
        nothing = {name: jnp.zeros(2) for name in vars(s.reward)}
        return state, self._timestep(state, Posture.read(qpos, qvel, 2), nothing, jnp.zeros(2, bool))

    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        action = jnp.clip(action, -1, 1)
        before = Posture.read(state.physics.qpos, state.physics.qvel, 2)
        physics = self.physics.step(state.physics, self.controls(state, action), self.settings.substeps)
        posture = Posture.read(physics.qpos, physics.qvel, 2)
        low = posture.height < self.settings.low_height
        memory = state.memory.replace(hit_points=state.memory.hit_points - low)
        state = state.replace(physics=physics, step_count=state.step_count + 1, memory=memory)
        lost = (memory.hit_points <= 0) | (posture.distance >= self.settings.ring_radius)
        terms = self._rewards(state, before, posture, action, low, lost)
        return state, self._timestep(state, posture, terms, lost)

    def by_keys(self, held: frozenset[str], time: float, mask: np.ndarray | None, advice: np.ndarray) -> np.ndarray:
        """Returns the action of a trot or a posture; without a key the advice."""
        return ant.by_keys(held, time) if held else advice

    def controls(self, state: ArenaState, action: jax.Array) -> jax.Array:
        """Returns position targets of the hinges `[16]`, rad."""
        del state
        return ant.targets(action).reshape(-1)

    def progressed(self, state: ArenaState, progress: Progress) -> ArenaState:
        """Sets the weight of the shaping."""
        return self.settings.shaping.progressed(state, progress.arena_steps)

    def _rewards(self, state: ArenaState, before: Posture, posture: Posture, action, low, lost) -> dict[str, jax.Array]:
        """Returns the unweighted terms `{name: [2]}`, named as in `SumoRewards`."""
        drawn = lost.all() | (~lost.any() & (state.step_count >= self.settings.time_limit))
        terms = {
            "approach": jnp.full(2, _gap(before) - _gap(posture)),
            "push": (posture.distance - before.distance)[::-1],
            "low": -low.astype(jnp.float32),
            "control": -jnp.mean(jnp.square(action), -1),
        }
        terms = {name: term * state.memory.shaping for name, term in terms.items()}
        decided = lost ^ lost[::-1]
        results = {"win": decided & lost[::-1], "lose": -1.0 * (decided & lost), "draw": -1.0 * jnp.full(2, drawn)}
        results["time"] = jnp.full(2, -1.0)
        return terms | {name: jnp.asarray(term, jnp.float32) for name, term in results.items()}

    def _timestep(self, state: ArenaState, posture: Posture, terms: dict, lost: jax.Array) -> TimeStep:
        s = self.settings
        reward, metrics = pay(terms, vars(s.reward))
        return TimeStep(
            observation=self._observation(state, posture),
            reward=reward,
            # The time limit is a result and is paid for; nothing follows it whose value could be learned.
            terminated=lost.any() | (state.step_count >= s.time_limit),
            truncated=jnp.bool_(False),
            outcome=lost[::-1].astype(jnp.float32) - lost,
            alive=jnp.ones(2, bool),
            rated=jnp.bool_(True),
            action_mask=None,
            metrics=metrics,
        )

    def _observation(self, state: ArenaState, posture: Posture) -> jax.Array:
        s = self.settings
        health = state.memory.hit_points[:, None] / s.hit_points
        edge = (s.ring_radius - posture.distance)[:, None]
        centre = posture.in_own_frame(-posture.position)[:, :2]
        left = jnp.full((2, 1), 1 - state.step_count / s.time_limit)
        own = [ant.felt(posture), health, edge, centre]
        return jnp.concatenate([*own, posture.seen()[:, 0], health[::-1], left], -1)


def _gap(posture: Posture) -> jax.Array:
    """Returns the horizontal distance `[]` between the two ants, m."""
    return jnp.linalg.norm(posture.position[0, :2] - posture.position[1, :2])
