"""Ant battle: several ants in a ring that shrinks; an ant that leaves it is out, and the last one in it wins.

The rules are those of TimeChamber's Ant Battle, except that ants which leave in one step share the mean of their ranks,
that the ring does not shrink to nothing, and that an ant which is out is taken away instead of staying near the ring.
"""

import functools
import math
from dataclasses import dataclass, field

import chex
import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from flax import struct

from mjx_arena.arena import Arena, TaskSettings
from mjx_arena.bodies import ant
from mjx_arena.bodies.posture import SEEN, Posture
from mjx_arena.physics import PhysicsSettings, make_physics
from mjx_arena.reward_terms import pay
from mjx_arena.shaping import ShapingSettings
from mjx_arena.symmetry import Symmetry, by_names, is_odd, joined
from mjx_arena.types import ArenaState, Box, PhysicsState, Progress, TimeStep, View
from mjx_arena.validation import checker, require_not_negative


@dataclass(frozen=True)
class BattleRewards:
    """Weights of the result and of the shaping terms, which the weight of `task.shaping` multiplies in addition.

    `centre` and `push` pay for changes of distances, so going back and forth earns nothing.
    """

    rank: float = 12.0  # paid once: x outcome, from +1 for the last ant in the ring to -1 for the first one out
    centre: float = 1.0  # x m by which the ant has come closer to the centre of the ring
    push: float = 2.0  # x m by which the opponents have moved away from the centre of the ring, a mean over all
    control: float = 0.001  # x mean squared action, subtracted in each control step

    def validate(self, prefix: str) -> None:
        require_not_negative(self, prefix, "must not be negative; the signs are the task's")


@dataclass(frozen=True)
class AntBattleSettings(TaskSettings):
    """Settings of ant battle."""

    name: str = "ant_battle"  # name of the game
    num_agents: int = 4  # ants, 2 to 8
    time_limit: int = 600  # control steps of 1/60 s; then the ants in the ring share the first ranks
    substeps: int = 2  # engine steps in one control step of 1/60 s
    ring_radius: float = 3.5  # m, of the ring at the start
    final_radius: float = 0.4  # m, of the ring at the time limit
    start_radius: float = 2.3  # m, radius of the circle on which the ants start, evenly spaced
    start_yaw: float = 0.5  # rad, most that an ant faces away from the centre at the start, uniform
    start_noise: float = 0.1  # rad and rad/s, most that hinges and their speeds vary at the start, uniform
    shaping: ShapingSettings = field(
        default_factory=ShapingSettings
    )  # weight of what is paid on the way to the result, over training
    reward: BattleRewards = field(default_factory=BattleRewards)  # weights of the reward terms

    @property
    def weights(self) -> tuple[str, ...]:
        return ("reward", "shaping")

    def validate(self, prefix: str = "task") -> None:
        check = checker(self, prefix)
        check(2 <= self.num_agents <= ant.MAX_ANTS, "num_agents", f"must lie between 2 and {ant.MAX_ANTS}")
        for key in ("time_limit", "substeps"):
            check(getattr(self, key) >= 1, key, "must be at least 1")
        for key in ("start_yaw", "start_noise", "final_radius"):
            check(getattr(self, key) >= 0, key, "must not be negative")
        check(self.final_radius <= self.ring_radius, "final_radius", "must not exceed ring_radius")
        room = ant.REACH / math.sin(math.pi / self.num_agents)
        check(room <= self.start_radius < self.ring_radius, "start_radius", f"must lie in [{room:.2f}, ring_radius) m")
        self.shaping.validate(f"{prefix}.shaping")
        self.reward.validate(f"{prefix}.reward")
        most = self.reward.centre * self.start_radius + self.reward.push * self.ring_radius
        self.shaping.check_result(f"{prefix}.reward.rank", self.reward.rank, most)


class BattleMemory(struct.PyTreeNode):
    """The task's part of the state of a match."""

    out: jax.Array  # [A] bool: has left the ring
    rank: jax.Array  # [A] 1 for the winner; 0 while undecided
    shaping: jax.Array  # [] weight of the shaping terms


class AntBattle(Arena):
    """The `Arena` of A ants: 8 position targets each, in the order of the hinges, and 31 + 14 (A - 1) observations."""

    settings_type = AntBattleSettings
    version = 1
    action = Box(ant.NUM_HINGES)
    action_names = ant.HINGES
    keyboard = ant.KEYBOARD

    def __init__(self, settings: AntBattleSettings, physics: PhysicsSettings):
        super().__init__(settings, physics)
        own = ("distance to the edge", "centre ahead", "centre left", "radius of the ring", "share still in it")
        each = (*SEEN, "other: distance to the edge", "other: in the ring")
        others = [name.replace("other", f"other {index}") for index in range(1, self.num_agents) for name in each]
        self.observation_names = (*ant.FELT, *own, *others)
        self.observation_size = len(self.observation_names)
        self.symmetry = self._symmetry((*own, *others))
        spec = ant.build_ants(self.num_agents, 1 / 60 / settings.substeps, settings.ring_radius)
        self.physics = make_physics(spec, physics)
        self.mj_spec = drawn = ant.draw_edge(spec, settings.ring_radius)
        self.mj_model = drawn.compile()
        self.control_dt = float(self.mj_model.opt.timestep) * settings.substeps
        self.time_limit = settings.time_limit
        place, look = (0.0, 0.0, 0.2), {"seats": ant.COLOUR_NAMES, "colours": ant.COLOURS}
        self.view = View(distance=9.5, lookat=place, furnish=functools.partial(_shrink, settings), **look)
        # Places of the ants that are out: apart from each other, too far away to be touched.
        away = settings.ring_radius + 4 + 3 * jnp.arange(self.num_agents)
        self._parked = ant.place(jnp.stack([away, 0 * away], -1), 0 * away, jnp.zeros((self.num_agents, 8)))

    def _symmetry(self, names: tuple[str, ...]) -> Symmetry:
        """Builds the symmetry, for observations `names` after what an ant feels.

        Ants start around the ring in the order of their seats. In a mirror it turns round, as does that of the others.
        """
        n = self.num_agents
        seats = tuple(-seat % n for seat in range(n))
        turned = {f"other {index}": f"other {n - index}" for index in range(1, n)}

        def exchange(name: str) -> str:
            other, colon, what = name.partition(":")
            return turned.get(other, other) + colon + what

        def state(state: ArenaState) -> ArenaState:
            memory = state.memory.replace(out=state.memory.out[seats,], rank=state.memory.rank[seats,])
            return state.replace(physics=ant.reflected(state.physics, seats), memory=memory)

        seen = by_names(names, is_odd, exchange)
        return Symmetry(joined(ant.REFLECTED_FELT, seen), ant.REFLECTED_HINGES, state, seats)

    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        del phase
        s, n = self.settings, self.num_agents
        key, k_angle, k_stance = jax.random.split(key, 3)
        angle = 2 * jnp.pi * (jnp.arange(n) / n + jax.random.uniform(k_angle))
        qpos, qvel = ant.start(k_stance, angle, s.start_radius, s.start_yaw, s.start_noise)
        memory = BattleMemory(out=jnp.zeros(n, bool), rank=jnp.zeros(n), shaping=jnp.float32(s.shaping.start))
        state = ArenaState(self.physics.init(qpos, qvel), key, jnp.int32(0), memory)
        nothing = {name: jnp.zeros(n) for name in vars(s.reward)}
        return state, self._timestep(state, Posture.read(qpos, qvel, n), nothing)

    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        action, n = jnp.clip(action, -1, 1), self.num_agents
        before = Posture.read(state.physics.qpos, state.physics.qvel, n)
        physics = self.physics.step(state.physics, self.controls(state, action), self.settings.substeps)
        state = state.replace(step_count=state.step_count + 1)
        posture = Posture.read(physics.qpos, physics.qvel, n)
        was_in = ~state.memory.out
        out = ~was_in | (posture.distance >= self._radius(state))
        rank = self._rank(state.memory.rank, was_in, ~out, state.step_count >= self.settings.time_limit)
        # An ant that goes out is paid for its last step, and then taken away.
        terms = self._rewards(state, before, posture, action, was_in, rank)
        memory = state.memory.replace(out=out, rank=rank)
        state = state.replace(physics=self._park(physics, out), memory=memory)
        return state, self._timestep(state, Posture.read(state.physics.qpos, state.physics.qvel, n), terms)

    def by_keys(self, held: frozenset[str], time: float, mask: np.ndarray | None, advice: np.ndarray) -> np.ndarray:
        """Returns the action of a trot or a posture; without a key the advice."""
        return ant.by_keys(held, time) if held else advice

    def controls(self, state: ArenaState, action: jax.Array) -> jax.Array:
        """Returns position targets of the hinges `[A * 8]`, rad."""
        del state
        return ant.targets(action).reshape(-1)

    def progressed(self, state: ArenaState, progress: Progress) -> ArenaState:
        """Sets the weight of the shaping."""
        return self.settings.shaping.progressed(state, progress.arena_steps)

    def _radius(self, state: ArenaState) -> jax.Array:
        """Returns the radius of the ring `[]`, m."""
        s = self.settings
        return s.ring_radius + (s.final_radius - s.ring_radius) * jnp.minimum(state.step_count / s.time_limit, 1)

    def _rank(self, rank: jax.Array, was_in: jax.Array, still_in: jax.Array, time_is_up: jax.Array) -> jax.Array:
        """Returns ranks `[A]` after a step. Ants that leave in one step share the mean of the ranks that they take."""
        before, after = was_in.sum(), still_in.sum()
        rank = jnp.where(was_in & ~still_in, (after + 1 + before) / 2, rank)
        over = (after <= 1) | time_is_up
        return jnp.where(still_in & over, (1 + after) / 2, rank)

    def _outcome(self, rank: jax.Array) -> jax.Array:
        """Returns outcomes `[A]`, from +1 for rank 1 to -1 for the last rank."""
        return 1 - 2 * (rank - 1) / (self.num_agents - 1)

    def _park(self, physics: PhysicsState, away: jax.Array) -> PhysicsState:
        n = self.num_agents
        qpos = jnp.where(away[:, None], self._parked.reshape(n, ant.NQ), physics.qpos.reshape(n, ant.NQ))
        qvel = jnp.where(away[:, None], 0, physics.qvel.reshape(n, ant.NV))
        return physics.replace(qpos=qpos.reshape(-1), qvel=qvel.reshape(-1))

    def _rewards(
        self, state: ArenaState, before: Posture, posture: Posture, action, was_in, rank
    ) -> dict[str, jax.Array]:
        """Returns the unweighted terms `{name: [A]}`, named as in `BattleRewards`; 0 for ants that were out before."""
        outwards = jnp.where(was_in, posture.distance - before.distance, 0.0)
        terms = {
            "centre": -outwards,
            "push": (outwards.sum() - outwards) / (self.num_agents - 1),
            "control": -jnp.mean(jnp.square(action), -1),
        }
        terms = {name: term * state.memory.shaping for name, term in terms.items()}
        terms["rank"] = jnp.where(rank > 0, self._outcome(rank), 0.0)
        return {name: jnp.where(was_in, term, 0.0) for name, term in terms.items()}

    def _timestep(self, state: ArenaState, posture: Posture, terms: dict[str, jax.Array]) -> TimeStep:
        rank = state.memory.rank
        reward, metrics = pay(terms, vars(self.settings.reward))
        over = (rank > 0).all()
        return TimeStep(
            observation=self._observation(state, posture),
            reward=reward,
            terminated=over,
            truncated=jnp.bool_(False),  # the time limit decides: the ants in the ring share the first ranks
            outcome=jnp.where(over, self._outcome(rank), 0.0),
            alive=~state.memory.out,
            rated=jnp.bool_(True),
            action_mask=None,
            metrics=metrics,
        )

    def _observation(self, state: ArenaState, posture: Posture) -> jax.Array:
        n, radius = self.num_agents, self._radius(state)
        present = (~state.memory.out).astype(jnp.float32)
        edge = radius - posture.distance
        centre = posture.in_own_frame(-posture.position)[:, :2]
        own = [ant.felt(posture), edge[:, None], centre, jnp.full((n, 1), radius), jnp.full((n, 1), present.sum() / n)]
        index = (jnp.arange(n)[:, None] + jnp.arange(1, n)) % n
        others = jnp.concatenate([posture.seen(), edge[index][..., None]], -1) * present[index][..., None]
        others = jnp.concatenate([others, present[index][..., None]], -1)
        return jnp.concatenate([*own, others.reshape(n, others.shape[1] * others.shape[2])], -1)


def _shrink(settings: AntBattleSettings, model: mujoco.MjModel, time: float) -> None:
    """Draws the ring as it is `time` s after a match began."""
    share = min(60 * time / settings.time_limit, 1)
    ant.resize_ring(model, settings.ring_radius + (settings.final_radius - settings.ring_radius) * share)
