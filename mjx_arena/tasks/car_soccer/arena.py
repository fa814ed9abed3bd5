"""Car soccer: two teams of cars, a ball and two goals. Rewards and starts depend on the phase of the run.

A match ends with a goal, which wins it, or as a draw, after 15 s without a touch or at its time limit. A phase may end
its matches sooner, or with the first touch.
"""

import functools
from dataclasses import dataclass, field
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mjx_arena.arena import Arena, TaskSettings
from mjx_arena.phases import Phase
from mjx_arena.physics import PhysicsSettings, make_physics
from mjx_arena.reward_terms import pay
from mjx_arena.tasks.car_soccer import actions, boost, camera, car, keys, rewards, rlgym, starts, symmetry, world
from mjx_arena.tasks.car_soccer.names import observation_names
from mjx_arena.tasks.car_soccer.rewards import Play
from mjx_arena.tasks.car_soccer.scene import GAME, GROUPS, Scene, observe, scenes
from mjx_arena.tasks.car_soccer.stadium import BLUE, ORANGE
from mjx_arena.tasks.car_soccer.units import METRE, TICK
from mjx_arena.tasks.car_soccer.world import World
from mjx_arena.types import ArenaState, Box, Discrete, Progress, TimeStep, View
from mjx_arena.validation import checker, require

_EARLY = 5.0  # s within which a first touch counts as early


@dataclass(frozen=True)
class SoccerPhase(Phase):
    """A phase of car soccer."""

    rewards: dict[str, float] = field(default_factory=dict)  # weights of reward terms by name; 0 for all others
    starts: dict[str, float] = field(default_factory=dict)  # shares of kickoff, random and turtled starts
    drill_share: float = 0.0  # share of matches that are drills, each kind equally often
    time_limit: int | None = None  # control steps of a match, at most the task's; null: the task's
    until_touch: bool = False  # true ends a match once a car hits the ball

    def validate(self, prefix: str) -> None:
        super().validate(prefix)
        for key, known in (("rewards", rewards.TERMS), ("starts", starts.MATCHES)):
            for name, value in getattr(self, key).items():
                require(name in known, f"{prefix}.{key}.{name}", value, f"must be one of {', '.join(known)}")
        shares = self.starts.values()
        works = all(share >= 0 for share in shares) and sum(shares) > 0
        require(works, f"{prefix}.starts", self.starts, "shares must not be negative, and one must be positive")
        require(0 <= self.drill_share <= 1, f"{prefix}.drill_share", self.drill_share, "must lie between 0 and 1")
        limit = self.time_limit
        require(limit is None or limit >= 1, f"{prefix}.time_limit", limit, "must be at least 1, or null")


@dataclass(frozen=True)
class CarSoccerSettings(TaskSettings):
    """Settings of car soccer."""

    name: str = "car_soccer"  # name of the game
    team_size: int = 1  # cars of each team, 1 to 4
    actions: str = "table"  # table (a choice out of 90 rows of controls) or continuous (8 controls)
    observe: tuple[str, ...] = tuple(GROUPS)  # groups of numbers that a car observes, in this order
    frames: int = 1  # control steps whose observations a policy gets, the latest first
    ticks: int = 8  # ticks of 1/120 s in a control step
    time_limit: int = 4500  # control steps of a match
    no_touch_limit: int = 225  # control steps without a touch of the ball after which a match is a draw
    sticky_keys: int = 0  # control steps for which a pressed key stays pressed
    recovery_limit: int = 75  # control steps in which a car on its roof must get onto its wheels to count as recovered
    demolitions: bool = False  # true lets a supersonic car take one of the other team out of the game for 3 s
    drill_share: float | None = None  # share of matches that are drills; null: the shares of the phases
    # kickoff, random, turtled, wall, aerial, air_dribble or flip_reset for all matches; null: the shares of the phases
    start: str | None = None
    # phases of a run, in order; a match without a run is played as in the last one
    phases: tuple[SoccerPhase, ...] = (SoccerPhase(rewards={"goal": 1.0, "concede": 1.0}, starts={"kickoff": 1.0}),)

    @property
    def num_agents(self) -> int:
        return 2 * self.team_size

    @property
    def num_dofs(self) -> int:
        return 6 * (1 + self.num_agents)

    @property
    def weights(self) -> tuple[str, ...]:
        return ("phases",)

    def validate(self, prefix: str = "task") -> None:
        check = checker(self, prefix)
        check(1 <= self.team_size <= 4, "team_size", "must be 1 to 4")
        check(self.actions in ("table", "continuous"), "actions", "must be table or continuous")
        for name in self.observe:
            check(name in GROUPS, "observe", f"must be of {', '.join(GROUPS)}")
        check(len(self.observe) > 0, "observe", f"needs one of {', '.join(GROUPS)}")
        for key in ("frames", "ticks", "time_limit", "no_touch_limit", "recovery_limit"):
            check(getattr(self, key) >= 1, key, "must be at least 1")
        check(self.sticky_keys >= 0, "sticky_keys", "must not be negative")
        share = self.drill_share
        check(share is None or 0 <= share <= 1, "drill_share", "must lie between 0 and 1, or be null")
        known = [*starts.MATCHES, *starts.DRILLS]
        check(self.start is None or self.start in known, "start", f"must be one of {', '.join(known)}, or null")
        check(len(self.phases) > 0, "phases", "needs at least one")
        for index, phase in enumerate(self.phases):
            phase.validate(f"{prefix}.phases[{index}]")


class SoccerMemory(struct.PyTreeNode):
    """The task's part of the state of a match: A cars, F frames of o observations."""

    world: World
    phase: jax.Array  # [] int32, phase of the run, from 0
    is_drill: jax.Array  # [] bool
    held: jax.Array  # [A, 8] controls of the last step
    sticky: jax.Array  # [A, 3] control steps that keys still stay pressed
    frames: jax.Array  # [A, F, o] observations, the latest first
    untouched: jax.Array  # [] control steps since the ball was last hit
    first_touch: jax.Array  # [] control steps until the first hit; -1: none yet
    since_jump: jax.Array  # [A] control steps since the last jump began
    on_roof: jax.Array  # [A] control steps since a car came to lie on its roof; 0: it has not
    turtles: jax.Array  # [3] recoveries in time, failures, and control steps of all recoveries


class CarSoccer(Arena):
    """The `Arena` of two teams; the first half of the cars attacks towards +y. Lengths are in uu, 0.01 m."""

    settings_type = CarSoccerSettings
    version = 1
    keyboard = keys.KEYBOARD
    randomizable = ("delay",)  # cars have masses, grip and forces of their own, of which the model knows nothing

    def __init__(self, settings: CarSoccerSettings, physics: PhysicsSettings):
        super().__init__(settings, physics)
        self.time_limit = settings.time_limit
        size = settings.team_size
        seats, colours = ("blue",) * size + ("orange",) * size, (BLUE,) * size + (ORANGE,) * size
        self.view = View(steer=camera.steer, points=camera.points, seats=seats, colours=colours)
        self.physics = make_physics(world.build(self.num_agents), physics)
        self.mj_spec = spec = world.build(self.num_agents, drawn=True)
        self.mj_model = spec.compile()
        self.control_dt = TICK * settings.ticks
        self.action = Discrete(actions.NUM_ROWS) if settings.actions == "table" else Box(len(actions.NAMES))
        self.action_names = actions.ROW_NAMES if settings.actions == "table" else actions.NAMES
        table = settings.actions == "table"
        self.symmetry = symmetry.symmetry(settings.observe, settings.team_size, settings.frames, table)
        self._weights = jnp.array([[p.rewards.get(name, 0.0) for name in rewards.TERMS] for p in settings.phases])
        self._shares = jnp.array([_shares(settings, phase) for phase in settings.phases])
        limits = [min(phase.time_limit or settings.time_limit, settings.time_limit) for phase in settings.phases]
        self._limits = jnp.array(limits)
        self._until_touch = jnp.array([phase.until_touch for phase in settings.phases])
        self.observation_size = (
            settings.frames * jax.eval_shape(self.reset, jax.random.key(0))[0].memory.frames.shape[-1]
        )
        self.observation_names = settings.frames * observation_names(settings.observe, settings.team_size)

    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        if phase is None:
            phase = jnp.int32(len(self.settings.phases) - 1)
        key, k_start = jax.random.split(key)
        num = self.num_agents
        start, which = starts.draw(k_start, num, self._shares[phase])
        qpos = jnp.concatenate([start.position * METRE, start.quat], 1).reshape(-1)
        qvel = jnp.concatenate([start.velocity * METRE, start.spin], 1).reshape(-1)
        cars = jax.vmap(car.fresh)(start.boost)
        memory = SoccerMemory(
            world=World(cars=cars, pads=jnp.zeros(boost.NUM_PADS)),
            phase=jnp.asarray(phase),
            is_drill=which >= len(starts.MATCHES),
            held=jnp.zeros((num, len(actions.NAMES))),
            sticky=jnp.zeros((num, 3), jnp.int32),
            frames=jnp.zeros((num, self.settings.frames, 1)),
            untouched=jnp.int32(0),
            first_touch=jnp.int32(-1),
            since_jump=jnp.full(num, 1000, jnp.int32),
            on_roof=jnp.zeros(num, jnp.int32),
            turtles=jnp.zeros(3, jnp.int32),
        )
        state = ArenaState(self.physics.init(qpos, qvel), key, jnp.int32(0), memory)
        seen = self._look(state)
        frames = jnp.repeat(self._observe(seen)[:, None], self.settings.frames, 1)
        state = state.replace(memory=memory.replace(frames=frames))
        nothing = jnp.zeros(num)
        play = Play(before=seen, after=seen, touched=nothing > 0, scored=nothing, since_jump=memory.since_jump)
        return state, self._timestep(state, play, jnp.float32(0), started=False)

    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        s, m = self.settings, state.memory
        before = self._look(state)
        values, sticky = jax.vmap(functools.partial(actions.held, steps=s.sticky_keys))(
            self._values(m.world.cars, action), m.sticky
        )
        controls = jax.vmap(actions.controls)(values)

        def tick(carry, _):
            physics, field, touched, scored = carry
            physics, field, events = world.tick(self.physics, physics, field, controls, s.demolitions)
            return (physics, field, touched | events.touched, jnp.where(scored == 0, events.scored, scored)), None

        begun = state.physics, m.world, jnp.zeros(self.num_agents, bool), jnp.float32(0)
        (physics, field, touched, scored), _ = jax.lax.scan(tick, begun, None, s.ticks)
        jumps = field.cars.jumping & ~m.world.cars.jumping
        memory = m.replace(
            world=field,
            held=values,
            sticky=sticky,
            untouched=jnp.where(touched.any(), 0, m.untouched + 1),
            first_touch=jnp.where((m.first_touch < 0) & touched.any(), state.step_count + 1, m.first_touch),
            since_jump=jnp.where(jumps, 0, jnp.minimum(m.since_jump + 1, 1000)),
        )
        state = state.replace(physics=physics, step_count=state.step_count + 1, memory=memory)
        after = self._look(state)
        frames = jnp.concatenate([self._observe(after)[:, None], m.frames[:, :-1]], 1)
        state = state.replace(memory=_turtles(memory, after, s.recovery_limit).replace(frames=frames))
        side = jnp.where(jnp.arange(self.num_agents) < s.team_size, scored, -scored)
        play = Play(before=before, after=after, touched=touched, scored=side, since_jump=memory.since_jump)
        return state, self._timestep(state, play, scored)

    @property
    def idle_action(self) -> np.ndarray:
        """Returns the action without any key; the first row of the table would be full reverse."""
        return np.array(actions.IDLE, np.int32) if self.settings.actions == "table" else super().idle_action

    def by_keys(self, held: frozenset[str], time: float, mask: np.ndarray | None, advice: np.ndarray) -> np.ndarray:
        """Returns the controls of held keys, or the row of the table that comes nearest."""
        del time, advice
        return keys.controls(held) if mask is None else np.array(keys.row(held, mask), np.int32)

    def interfaces(self) -> dict[str, dict[str, Any]]:
        """Returns what a policy needs to play in RLGym."""
        return {"rlgym": rlgym.interface(self.settings)}

    def progressed(self, state: ArenaState, progress: Progress) -> ArenaState:
        """Sets the phase, and so the weights of the rewards."""
        return state.replace(memory=state.memory.replace(phase=progress.phase))

    def _values(self, cars, action: jax.Array) -> jax.Array:
        """Returns the controls `[A, 8]` of actions."""
        if self.settings.actions == "continuous":
            return jnp.clip(action, -1, 1)
        return jax.vmap(actions.chosen)(action, cars)

    def _look(self, state: ArenaState) -> Scene:
        the_ball, bodies = world.bodies(state.physics, self.num_agents)
        # A share of the game's five minutes for any limit: observations must not depend on how a policy is evaluated.
        left = 1 - state.step_count * self.control_dt / GAME
        return scenes(the_ball, bodies, state.memory.world, state.memory.held, left)

    def _observe(self, scene: Scene) -> jax.Array:
        return jax.vmap(functools.partial(observe, groups=self.settings.observe))(scene)

    def _timestep(self, state: ArenaState, play: Play, scored: jax.Array, started: bool = True) -> TimeStep:
        m, s = state.memory, self.settings
        terms = {name: jax.vmap(term)(play) for name, term in rewards.TERMS.items()}
        weights = self._weights[m.phase] * started
        reward, metrics = pay(terms, dict(zip(terms, weights, strict=True)))
        over = ((scored != 0) | (self._until_touch[m.phase] & play.touched.any())) & started
        # A match that is past the limit, by a change of phase or an advanced start, ends at the limit's next multiple.
        late = (state.step_count % self._limits[m.phase] == 0) | (m.untouched >= s.no_touch_limit)
        mask = jax.vmap(actions.legal)(m.world.cars) if s.actions == "table" else None
        recovered, failed, steps = m.turtles
        early = (m.first_touch >= 0) & (m.first_touch * self.control_dt <= _EARLY)
        return TimeStep(
            observation=m.frames.reshape(self.num_agents, -1),
            reward=reward,
            terminated=over,
            truncated=~over & late & started,
            outcome=play.scored,
            alive=jnp.ones(self.num_agents, bool),
            rated=~m.is_drill,
            action_mask=mask,
            metrics=metrics
            | {"soccer/touched": play.touched.any() * 1.0, "soccer/goals": jnp.abs(scored)}
            | {"last/touched_in_5_s": early * 1.0, "last/recovered": recovered * 1.0}
            | {"last/not_recovered": failed * 1.0, "last/recovery_steps": steps * 1.0},
        )

    def describe(self, state: ArenaState) -> list[str]:
        """Returns lines that say where ball and cars are, and which cars are upside down."""
        the_ball, cars = world.bodies(state.physics, self.num_agents)
        lines = [f"ball at {_numbers(the_ball.position)} uu, {_numbers(the_ball.velocity)} uu/s"]
        for index in range(self.num_agents):
            place, up = _numbers(cars.position[index]), float(cars.rotation[index, 2, 2])
            over, left = " (upside down)" if up < -0.2 else "", float(state.memory.world.cars.boost[index])
            lines.append(f"car {index} at {place} uu, up {up:+.2f}{over}, {left:.0f} boost")
        return lines

    def explain(self, action: np.ndarray) -> str:
        """Returns the names and values of the controls that an action holds."""
        table = self.settings.actions == "table"
        return actions.ROW_NAMES[int(action)] if table else actions.describe(np.clip(action, -1, 1))

    def report(self, outcome: np.ndarray, length: np.ndarray, metrics: dict[str, np.ndarray]) -> dict[str, float]:
        """Returns shares of goals, early hits and recoveries from the roof, and mean ticks of the recoveries."""
        recovered, failed = metrics["last/recovered"].sum(), metrics["last/not_recovered"].sum()
        found = {
            "scored": float((outcome > 0).mean()),
            "conceded": float((outcome < 0).mean()),
            "touched_in_5_s": float(metrics["last/touched_in_5_s"].mean()),
        }
        if recovered + failed:
            ticks = metrics["last/recovery_steps"].sum() * self.settings.ticks / max(recovered, 1)
            found |= {"recovered": float(recovered / (recovered + failed)), "recovery_ticks": float(ticks)}
        return found


def _turtles(memory: SoccerMemory, scene: Scene, limit: int) -> SoccerMemory:
    """Counts how long cars lie on their roofs, and how many then recover within `limit` control steps or do not."""
    upright = scene.body.rotation[:, 2, 2]
    begins = scene.state.hull_touches & (upright < -0.2) & (memory.on_roof == 0)
    count = jnp.where((memory.on_roof > 0) | begins, memory.on_roof + 1, 0)
    recovered = (count > 0) & scene.state.on_ground & (upright > 0.5)
    failed = (count > limit) & ~recovered
    ended = jnp.stack([recovered.sum(), failed.sum(), (recovered * count).sum()])
    return memory.replace(on_roof=jnp.where(recovered | failed, 0, count), turtles=memory.turtles + ended)


def _numbers(vector: jax.Array) -> str:
    return "(" + ", ".join(f"{value:.0f}" for value in vector) + ")"


def _shares(settings: CarSoccerSettings, phase: SoccerPhase) -> list[float]:
    """Returns the shares of `starts.MATCHES` and `starts.DRILLS` in a phase."""
    names = [*starts.MATCHES, *starts.DRILLS]
    if settings.start is not None:
        return [float(name == settings.start) for name in names]
    drills = phase.drill_share if settings.drill_share is None else settings.drill_share
    total = sum(phase.starts.values())
    matches = [(1 - drills) * phase.starts.get(name, 0.0) / total for name in starts.MATCHES]
    return matches + [drills / len(starts.DRILLS)] * len(starts.DRILLS)
