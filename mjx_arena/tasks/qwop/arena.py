"""QWOP: a planar runner, with two keys for its thighs and two for its calves, has to run 100 m.

Q and W swing the thighs and arms against each other, O and P the calves. O and P also move the limits of the hips,
which stay there after the key is released. The run ends with a foot on the track beyond 100 m, or with the head or a
part of an arm on the track.
"""

import itertools
from dataclasses import dataclass, field

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mjx_arena.arena import Arena, TaskSettings
from mjx_arena.physics import PhysicsSettings, make_physics
from mjx_arena.reward_terms import pay
from mjx_arena.tasks.qwop import body as runner
from mjx_arena.tasks.qwop.body import FRAME, GOAL, JOINTS, MOTORS, NQ, PARTS, UNIT, Pose
from mjx_arena.types import ArenaState, Discrete, Key, TimeStep, View
from mjx_arena.validation import checker, require_not_negative

KEYS = "QWOP"
# The keys of each choice; those of the full set are in the order of `itertools.combinations`.
ACTION_SETS = {
    "reduced": ("", "Q", "W", "O", "P", "QW", "QP", "WO", "OP"),
    "full": tuple("".join(keys) for size in range(5) for keys in itertools.combinations(KEYS, size)),
}
# Published rewards: the factor of the speed, and the length of a frame by the reward's clock, s.
VARIANTS = {"seed": (1.0, FRAME), "qwop_gym": (0.01, 1 / 300)}
_LOW = np.tile(np.array([-10, -10, -6, -20, -25], np.float32), len(PARTS))  # x, y, angle, vx, vy, in units
_HIGH = np.tile(np.array([1050, 10, 6, 60, 60], np.float32), len(PARTS))
# rad/s of hips and shoulders for Q, and of knees for O; W and P turn the other way.
_SPEEDS = np.array([{"hip": 2.5, "shoulder": -2.0, "knee": 2.5}[name.split("_")[1]] for name in MOTORS])
_SPEEDS = np.where([name.startswith("right") for name in MOTORS], _SPEEDS, -_SPEEDS).astype(np.float32)
_KNEES = np.array(["knee" in name for name in MOTORS])
_HIPS = np.array([list(JOINTS).index(name) for name in ("left_hip", "right_hip")])
_HIP_LIMITS = np.array([[(-1.5, 0.5), (-1.3, 0.7)], [(-1.0, 1.0), (-1.3, 0.7)], [(-1.5, 0.5), (-0.8, 1.2)]], np.float32)
_FALLING = np.array([name == "head" or "arm" in name for name in PARTS])
_FEET = np.array([name.endswith("foot") for name in PARTS])


@dataclass(frozen=True)
class QwopShaping:
    """Weights of terms that are subtracted in each control step; 0 leaves a term out."""

    posture: float = 0.0  # x units (0.1 m) by which the torso is below y = -0.5 of the game, whose y points down
    action_change: float = 0.0  # subtracted when the keys differ from those of the last control step
    joint_limits: float = 0.0  # x number of joints in the outer tenths of their ranges

    def validate(self, prefix: str) -> None:
        require_not_negative(self, prefix, "must not be negative; these terms are subtracted")


@dataclass(frozen=True)
class QwopSettings(TaskSettings):
    """Settings of QWOP."""

    name: str = "qwop"  # name of the game
    action_set: str = "reduced"  # reduced (9 choices of keys) or full (all 16)
    frames_per_step: int = 4  # frames of 0.04 s in a control step
    substeps_per_frame: int = 2  # engine steps in a frame
    time_limit: int = 2000  # control steps of the longest run
    start_noise: float = 0.02  # rad and rad/s, most that joints and their speeds vary at the start, uniform
    hurdle: bool = False  # true puts a post on the track at 50 m
    # seed: speed (m/s) - 0.4 a control step; qwop_gym: speed / 100 - 1/30, by a clock of 1/300 s frames
    reward: str = "seed"
    success: float = 50.0  # paid once, for reaching 100 m
    fall: float = 10.0  # subtracted once, for a fall
    shaping: QwopShaping = field(
        default_factory=QwopShaping
    )  # weights of terms that are subtracted in each control step; 0 leaves a term out

    @property
    def num_dofs(self) -> int:
        return NQ + self.hurdle

    @property
    def weights(self) -> tuple[str, ...]:
        return ("success", "fall", "shaping")

    def validate(self, prefix: str = "task") -> None:
        check = checker(self, prefix)
        check(self.action_set in ACTION_SETS, "action_set", f"must be one of {', '.join(ACTION_SETS)}")
        check(self.reward in VARIANTS, "reward", f"must be one of {', '.join(VARIANTS)}")
        for key in ("frames_per_step", "substeps_per_frame", "time_limit"):
            check(getattr(self, key) >= 1, key, "must be at least 1")
        for key in ("start_noise", "success", "fall"):
            check(getattr(self, key) >= 0, key, "must not be negative")
        self.shaping.validate(f"{prefix}.shaping")


class QwopMemory(struct.PyTreeNode):
    """The task's part of the state of a run."""

    keys: jax.Array  # [4] bool: held since the last control step
    hips: jax.Array  # [] int32: limits of the hips, those of the start (0), of O (1) or of P (2)


class Qwop(Arena):
    """The `Arena` of one agent: a choice of keys, and 60 observations, which are x, y, angle, vx, vy of each part."""

    settings_type = QwopSettings
    version = 2
    observation_names = tuple(f"{part}: {name}" for part in PARTS for name in ("x", "y", "angle", "vx", "vy"))
    observation_size = len(observation_names)
    view = View(distance=3.2, azimuth=90.0, elevation=-4.0, keys=tuple(KEYS))
    keyboard = (Key("Q", "thighs one way"), Key("W", "thighs the other way"))
    keyboard += (Key("O", "calves one way"), Key("P", "calves the other way"))

    def __init__(self, settings: QwopSettings, physics: PhysicsSettings):
        super().__init__(settings, physics)
        self.time_limit = settings.time_limit
        timestep = FRAME / settings.substeps_per_frame
        self.physics = make_physics(runner.build(timestep, settings.hurdle), physics)
        self.mj_spec = spec = runner.build(timestep, settings.hurdle, drawn=True)
        self.mj_model = spec.compile()
        self.control_dt = FRAME * settings.frames_per_step
        choices = ACTION_SETS[settings.action_set]
        self.action = Discrete(len(choices))
        self.action_names = tuple(keys or "none" for keys in choices)
        self._choices = choices
        self._keys = jnp.array([[key in keys for key in KEYS] for keys in choices])

    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        del phase
        key, k_pose, k_speed = jax.random.split(key, 3)
        noise, joints = self.settings.start_noise, slice(3, NQ)
        qpos, qvel = jnp.zeros(self.mj_model.nq), jnp.zeros(self.mj_model.nv)
        low, high = jnp.array([joint.limits for joint in JOINTS.values()]).T
        off = runner.start()[joints] + noise * jax.random.uniform(k_pose, (len(JOINTS),), minval=-1)
        qpos = qpos.at[:3].set(runner.start()[:3]).at[joints].set(jnp.clip(off, low, high))
        qvel = qvel.at[joints].set(noise * jax.random.uniform(k_speed, (len(JOINTS),), minval=-1))
        memory = QwopMemory(keys=jnp.zeros(4, bool), hips=jnp.int32(0))
        state = ArenaState(self.physics.init(qpos, qvel), key, jnp.int32(0), memory)
        return state, self._timestep(state, state, started=False)

    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        s, keys = self.settings, self._keys[action[0]]
        hips = jnp.where(keys[2], 1, jnp.where(keys[3], 2, state.memory.hips))
        ranges = jnp.asarray(self.mj_model.jnt_range, jnp.float32).at[3 + _HIPS].set(jnp.asarray(_HIP_LIMITS)[hips])
        substeps = s.frames_per_step * s.substeps_per_frame
        physics = self.physics.step(state.physics, self.controls(state, action), substeps, fields={"jnt_range": ranges})
        after = state.replace(physics=physics, step_count=state.step_count + 1, memory=QwopMemory(keys=keys, hips=hips))
        return after, self._timestep(state, after)

    def controls(self, state: ArenaState, action: jax.Array) -> jax.Array:
        """Returns target speeds of the motors `[6]`, rad/s. Q has priority over W, and O over P."""
        del state
        q, w, o, p = self._keys[action[0]]
        swing, bend = q * 1.0 - (w & ~q), o * 1.0 - (p & ~o)
        return jnp.asarray(_SPEEDS) * jnp.where(_KNEES, bend, swing)

    def by_keys(self, held: frozenset[str], time: float, mask: np.ndarray | None, advice: np.ndarray) -> np.ndarray:
        """Returns the choice that has most of the keys that are held, and no others."""
        del time, mask, advice
        fits = [len(held & set(keys)) if set(keys) <= held else -1 for keys in self._choices]
        return np.array(np.argmax(fits), np.int32)

    def explain(self, action: np.ndarray) -> str:
        """Returns the keys of a choice."""
        return self._choices[int(action)] or "no key"

    def _timestep(self, before: ArenaState, state: ArenaState, started: bool = True) -> TimeStep:
        s, pose = self.settings, Pose.read(state.physics.qpos, state.physics.qvel)
        x, clearance = pose.position[:, 0] * UNIT, pose.clearance
        fallen = (_FALLING & (clearance < 0)).any() | (x[0] < -10)
        arrived = ((_FEET & (clearance < _TOUCH) & (x > GOAL)).any() | (x[0] > GOAL + 5)) & ~fallen
        terms = self._rewards(before, state, pose) | {"success": s.success * arrived, "fall": -s.fall * fallen}
        reward, metrics = pay(terms)
        values = jnp.concatenate([pose.position, pose.angle[:, None], pose.velocity], 1).reshape(-1)
        observation = jnp.clip(2 * (values - _LOW) / (_HIGH - _LOW) - 1, -1, 1)
        terminated = (arrived | fallen) & started
        return TimeStep(
            observation=observation[None],
            reward=jnp.where(started, reward, 0)[None],
            terminated=terminated,
            truncated=~terminated & (state.step_count >= s.time_limit),
            outcome=jnp.where(arrived, 1.0, -1.0)[None],
            alive=jnp.ones(1, bool),
            rated=jnp.bool_(False),
            action_mask=None,
            metrics=metrics
            | {f"key/{name}": held.astype(jnp.float32) for name, held in zip(KEYS, state.memory.keys, strict=True)}
            | {"last/distance": state.physics.qpos[0]},
        )

    def report(self, outcome: np.ndarray, length: np.ndarray, metrics: dict[str, np.ndarray]) -> dict[str, float]:
        """Returns the share of falls, distances in m, and the frames of successful runs, of which 30 last 1 s."""
        arrived, distance, frames = outcome > 0, metrics["last/distance"], length * self.settings.frames_per_step
        found = {
            "falls": float((~arrived & (length < self.time_limit)).mean()),
            "distance": float(distance.mean()),
            "distance_error": float(distance.std() / np.sqrt(len(distance))),
        }
        if arrived.any():
            fastest, median, slowest = np.quantile(frames[arrived], (0, 0.5, 1))
            found |= {"frames": median, "frames_fastest": fastest, "frames_slowest": slowest, "seconds": median / 30}
        return {name: float(value) for name, value in found.items()}

    def _rewards(self, before: ArenaState, state: ArenaState, pose: Pose) -> dict[str, jax.Array]:
        """Returns the weighted terms of a control step, `{name: []}`."""
        s = self.settings
        factor, second = VARIANTS[s.reward]
        dt = second * s.frames_per_step
        angles = state.physics.qpos[3:NQ]
        ranges = (
            jnp.array([joint.limits for joint in JOINTS.values()])
            .at[_HIPS]
            .set(jnp.asarray(_HIP_LIMITS)[state.memory.hips])
        )
        place = (angles - ranges[:, 0]) / (ranges[:, 1] - ranges[:, 0])
        return {
            "speed": factor * (state.physics.qpos[0] - before.physics.qpos[0]) / dt,
            "time": jnp.float32(-10 * dt / s.frames_per_step),
            "posture": -s.shaping.posture * jnp.maximum(0.5 + pose.position[0, 1], 0),
            "action_change": -s.shaping.action_change * (state.memory.keys != before.memory.keys).any(),
            "joint_limits": -s.shaping.joint_limits * ((place < 0.1) | (place > 0.9)).sum(),
        }


_TOUCH = 0.05  # units above the track, within which a foot is on it
