"""Humanoid duel: the one that falls loses. If both fall in one step, or at the time limit, the match is a draw.

A humanoid falls when its torso sinks below a height. Some matches are exercises, which cannot be won and are not rated.
In a drill the opponent is a dummy that is held standing and cannot lose, and random kicks disturb the learner. In a
shadow match the agents pass through each other, so that one which leans on the other falls.
"""

from dataclasses import dataclass, field

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mjx_arena.arena import Arena, TaskSettings
from mjx_arena.bodies.ground import FLOOR
from mjx_arena.bodies.posture import Posture
from mjx_arena.geometry import yaw_quaternion
from mjx_arena.physics import PhysicsSettings, make_physics
from mjx_arena.pushes import draw_pushes, push_at
from mjx_arena.reward_terms import pay
from mjx_arena.symmetry import Symmetry, reflected_physics
from mjx_arena.tasks.humanoid_duel import body as duelist
from mjx_arena.tasks.humanoid_duel.body import NQ, NV
from mjx_arena.types import ArenaState, Box, PhysicsState, TimeStep, View
from mjx_arena.validation import checker, require_not_negative


@dataclass(frozen=True)
class RewardWeights:
    """Weights of the reward terms, paid per control step and agent; `win` and `fall` are paid once."""

    upright: float = 0.01  # x height of the torso: 0 at the fall height, 1 when standing
    balance: float = 0.005  # x cosine of the angle between the torso's up axis and the vertical
    opponent_off_balance: float = 0.01  # x sinking of the opponent's torso: 0 when standing, 1 at the fall height
    control: float = 0.002  # x mean squared action, subtracted
    approach: float = 0.03  # x m/s towards an opponent more than 0.5 m away, in [-1, 1]
    ground: float = 0.015  # x m/s at which both, on average, move towards the opponent's side; adds up to 0 for the two
    time: float = 0.0265  # subtracted in each control step, so that standing still does not pay
    win: float = 3.0  # paid once: x height of the winner's torso: 0 at the fall height, 1 when standing
    fall: float = 3.0  # subtracted once from an agent that falls

    def validate(self, prefix: str) -> None:
        require_not_negative(self, prefix, "weights must not be negative; the signs are the task's")


@dataclass(frozen=True)
class HumanoidDuelSettings(TaskSettings):
    """Settings of the humanoid duel."""

    name: str = "humanoid_duel"  # name of the game
    fall_height: float = 0.8  # m, height of the torso's origin below which an agent has fallen; standing is 1.14
    time_limit: int = 1000  # control steps of 20 ms; then the match is a draw
    substeps: int = 2  # engine steps in one control step of 20 ms
    start_distance: tuple[float, float] = (0.3, 0.6)  # m, least and most between the torsos at the start, uniform
    start_noise: float = 0.05  # rad, rad/s and m/s, most that hinges and velocities vary at the start, uniform
    start_yaw: float = 0.3  # rad, most that an agent faces away from its opponent at the start, uniform
    agent_contacts: bool = True  # false lets the agents pass through each other
    drill_share: float = 0.2  # share of matches that are drills, against a dummy that is held standing
    shadow_share: float = 0.07  # share of matches in which the agents pass through each other and cannot win
    drill_distance: float = 2.0  # m between learner and dummy at the start of a drill
    drill_time_limit: int = 500  # control steps of a drill
    kick_interval: int = 100  # control steps between two kicks of a drill, which come in random directions
    drill_kick: tuple[float, float] = (0.1, 0.6)  # m/s, least and most that a kick of a drill adds to the body, uniform
    reward: RewardWeights = field(
        default_factory=RewardWeights
    )  # weights of the reward terms, paid per control step and agent; win and fall once

    @property
    def num_agents(self) -> int:
        return 2

    @property
    def num_dofs(self) -> int:
        """Returns the degrees of freedom, 20: few enough to need no spare threads, see `devices.configure`."""
        return 2 * NV

    @property
    def weights(self) -> tuple[str, ...]:
        return ("reward",)

    def validate(self, prefix: str = "task") -> None:
        check = checker(self, prefix)
        lowest, highest = duelist.LOWEST_FALL_HEIGHT, duelist.STANDING_HEIGHT
        check(lowest <= self.fall_height < highest, "fall_height", f"must lie in [{lowest}, {highest}) m")
        for key in ("time_limit", "substeps", "drill_time_limit", "kick_interval"):
            check(getattr(self, key) >= 1, key, "must be at least 1")
        for key in ("start_noise", "start_yaw", "drill_distance"):
            check(getattr(self, key) >= 0, key, "must not be negative")
        for key in ("start_distance", "drill_kick"):
            low_high = getattr(self, key)
            check(len(low_high) == 2 and 0 <= low_high[0] <= low_high[1], key, "must be [low, high], 0 <= low <= high")
        for key in ("drill_share", "shadow_share"):
            check(0 <= getattr(self, key) <= 1, key, "must lie between 0 and 1")
        check(self.drill_share + self.shadow_share <= 1, "shadow_share", "drills and shadow matches exceed all matches")
        self.reward.validate(f"{prefix}.reward")


class DuelMemory(struct.PyTreeNode):
    """The task's part of the state of a match."""

    drill: jax.Array  # [] bool
    shadow: jax.Array  # [] bool
    held: jax.Array  # [2] bool: the dummy of a drill
    start_qpos: jax.Array  # [nq] start of the match, at which the dummy is held
    kicks: jax.Array  # [K, 2, 2] m/s that each kick adds to the bodies, in world coordinates, in a drill


class HumanoidDuel(Arena):
    """The `Arena` of two agents: 4 controls each, in the order of `duelist.HINGES`, and 38 observations."""

    settings_type = HumanoidDuelSettings
    version = 1
    observation_size = len(duelist.OBSERVATIONS)
    observation_names = duelist.OBSERVATIONS
    action = Box(4)
    action_names = duelist.HINGES
    keyboard = duelist.KEYBOARD
    view = View(seats=("red", "blue"), colours=(duelist.RED, duelist.BLUE))

    def __init__(self, settings: HumanoidDuelSettings, physics: PhysicsSettings):
        super().__init__(settings, physics)
        self.mj_spec = duelist.build_pair(0.02 / settings.substeps, settings.agent_contacts)
        self.physics = make_physics(self.mj_spec, physics)
        self.mj_model = self.physics.model
        between_agents = self.mj_model.pair_geom1 != self.mj_model.geom(FLOOR).id
        self._shadow_margin = jnp.where(between_agents, -10.0, self.mj_model.pair_margin)  # no contact is that deep
        self.control_dt = float(self.mj_model.opt.timestep) * settings.substeps
        self.time_limit = settings.time_limit
        self.symmetry = Symmetry(duelist.REFLECTED_OBSERVATION, duelist.REFLECTED_HINGES, _reflected, seats=(0, 1))

    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        del phase
        s = self.settings
        key, k_drill, k_dummy, k_kick, k_gap, k_yaw, k_joint, k_speed = jax.random.split(key, 8)
        kind = jax.random.uniform(k_drill)
        drill, shadow = kind < s.drill_share, kind >= 1 - s.shadow_share
        held = drill & (jnp.arange(2) == jax.random.randint(k_dummy, (), 0, 2))
        low, high = s.start_distance
        distance = jnp.where(drill, s.drill_distance, jax.random.uniform(k_gap, (), minval=low, maxval=high))
        position = jnp.array([[-0.5, 0, 0], [0.5, 0, 0]]) * distance + jnp.array([0, 0, duelist.STANDING_HEIGHT])
        yaw = jnp.array([0, jnp.pi]) + s.start_yaw * jax.random.uniform(k_yaw, (2,), minval=-1)
        # Bent only in the direction that the knees allow, and never by the dummy.
        hinges = s.start_noise * jax.random.uniform(k_joint, (2, 4)) * jnp.array([-1, 1, -1, 1]) * ~held[:, None]
        speeds = s.start_noise * jax.random.uniform(k_speed, (2, NV), minval=-1) * ~held[:, None]
        qpos = jnp.concatenate([position, yaw_quaternion(yaw), hinges], axis=1).reshape(-1)
        kicks = draw_pushes(k_kick, 2, s.drill_time_limit, s.kick_interval, s.drill_kick)
        state = ArenaState(
            physics=self.physics.init(qpos, speeds.reshape(-1)),
            key=key,
            step_count=jnp.int32(0),
            memory=DuelMemory(drill=drill, shadow=shadow, held=held, start_qpos=qpos, kicks=kicks),
        )
        nothing = {name: jnp.zeros(2) for name in vars(s.reward)}
        return state, self._timestep(state, Posture.read(qpos, speeds.reshape(-1), 2), nothing, jnp.zeros(2, bool))

    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        action = jnp.clip(action, -1, 1)
        fields = {"pair_margin": jnp.where(state.memory.shadow, self._shadow_margin, self.mj_model.pair_margin)}
        physics = self.physics.step(
            self._kick(state), self.controls(state, action), self.settings.substeps, fields=fields
        )
        state = state.replace(physics=_hold(physics, state.memory), step_count=state.step_count + 1)
        posture = Posture.read(state.physics.qpos, state.physics.qvel, 2)
        fallen = (posture.height < self.settings.fall_height) & ~state.memory.held
        return state, self._timestep(state, posture, self._rewards(posture, action, fallen), fallen)

    def by_keys(self, held: frozenset[str], time: float, mask: np.ndarray | None, advice: np.ndarray) -> np.ndarray:
        """Returns the advice, which balances, with the torques of held keys on top."""
        del time, mask
        return np.clip(advice + sum((duelist.MOTIONS[key] for key in held), np.zeros(4)), -1, 1).astype(np.float32)

    def controls(self, state: ArenaState, action: jax.Array) -> jax.Array:
        """Returns the controls of the motors `[8]`."""
        del state
        return action.reshape(-1)

    def _kick(self, state: ArenaState) -> PhysicsState:
        """Adds the velocity of a kick to the free roots, if this is a drill and a kick is due."""
        kick = push_at(state.memory.kicks, state.step_count, self.settings.kick_interval) * state.memory.drill
        qvel = state.physics.qvel.reshape(2, NV)
        return state.physics.replace(qvel=qvel.at[:, :2].add(kick).reshape(-1))

    def _rewards(self, posture: Posture, action: jax.Array, fallen: jax.Array) -> dict[str, jax.Array]:
        """Returns the unweighted terms `{name: [2]}`, named as in `RewardWeights`."""
        low, standing = self.settings.fall_height, duelist.STANDING_HEIGHT
        upright = jnp.clip((posture.height - low) / (standing - low), 0, 1)
        flat_gap = (posture.of_others().position - posture.position)[:, :2]
        distance = jnp.linalg.norm(flat_gap, axis=-1)
        closing = jnp.sum(posture.velocity[:, :2] * flat_gap, -1) / jnp.maximum(distance, 1e-6)
        return {
            "upright": upright,
            "balance": posture.up[:, 2],
            "opponent_off_balance": 1 - upright[::-1],
            "control": -jnp.mean(jnp.square(action), -1),
            "approach": jnp.where(distance > _REACH, jnp.clip(closing, -1, 1), 0),
            "ground": jnp.sum(posture.velocity[:, :2].mean(0) * flat_gap, -1) / jnp.maximum(distance, 1e-6),
            "time": -jnp.ones(2),
            "win": upright * (fallen[::-1] & ~fallen),
            "fall": -fallen.astype(jnp.float32),
        }

    def _timestep(self, state: ArenaState, posture: Posture, terms: dict, fallen: jax.Array) -> TimeStep:
        s = self.settings
        contest = ~(state.memory.drill | state.memory.shadow)
        terms = {name: term * contest if name in _CONTEST_TERMS else term for name, term in terms.items()}
        alive = ~state.memory.held
        reward, metrics = pay(terms, vars(s.reward), alive)
        limit = jnp.where(state.memory.drill, s.drill_time_limit, s.time_limit)
        terminated = fallen.any()
        return TimeStep(
            observation=duelist.observation(posture),
            reward=reward,
            terminated=terminated,
            truncated=~terminated & (state.step_count >= limit),
            outcome=fallen[::-1].astype(jnp.float32) - fallen,
            alive=alive,
            rated=contest,
            action_mask=None,
            metrics=metrics,
        )


_CONTEST_TERMS = ("opponent_off_balance", "approach", "ground", "time", "win")
_REACH = 0.5  # m between the torsos, below which the approach is not paid


def _reflected(state: ArenaState) -> ArenaState:
    """Returns a match with left and right exchanged."""
    memory = state.memory
    return state.replace(
        physics=reflected_physics(state.physics, duelist.REFLECTED_POSITION, duelist.REFLECTED_VELOCITY),
        memory=memory.replace(
            start_qpos=duelist.REFLECTED_POSITION(memory.start_qpos), kicks=memory.kicks * jnp.array([1, -1])
        ),
    )


def _hold(physics: PhysicsState, memory: DuelMemory) -> PhysicsState:
    """Puts a drill's dummy back where it stood."""
    held = memory.held[:, None]
    qpos = jnp.where(held, memory.start_qpos.reshape(2, NQ), physics.qpos.reshape(2, NQ))
    qvel = jnp.where(held, 0, physics.qvel.reshape(2, NV))
    return physics.replace(qpos=qpos.reshape(-1), qvel=qvel.reshape(-1))
