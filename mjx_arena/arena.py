"""The base classes of a game and of its settings: what every game must have, and what it may have, with defaults.

A game is a folder `mjx_arena/tasks/<name>/`, or a file of the user's own, with a subclass of `TaskSettings` and one of
`Arena`. Everything is written for one match; `jax.vmap` adds the batch axis. `mjx_arena.check_arena` proves the rest.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import chex
import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_arena.phases import Phase
from mjx_arena.physics import PhysicsSettings
from mjx_arena.types import ArenaState, Box, Discrete, Physics, Progress, TimeStep, View


@dataclass(frozen=True)
class TaskSettings:
    """Settings of a game: a frozen dataclass with a default and a comment for every field, the only place of both.

    A subclass gives `name` its default and adds fields; it has `num_agents` as a field or a property, and validates.
    """

    name: str = ""

    @property
    def num_agents(self) -> int:
        """Number of players in a match."""
        return 1

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Phases that a run goes through; none for a game that is taught as a whole."""
        return ()

    @property
    def num_dofs(self) -> int | None:
        """Degrees of freedom of one arena, if they are few; see `mjx_arena.devices.configure`."""
        return None

    @property
    def weights(self) -> tuple[str, ...]:
        """Fields with weights of rewards, which a run that is resumed may change."""
        return ()

    def validate(self, prefix: str = "task") -> None:
        """Raises SettingError for the first value that cannot work; begin with `check = checker(self, prefix)`."""


class Arena(ABC):
    """One match of a game on one engine. Axes: A agents, n actions, O observations.

    A subclass sets the attributes below in its class or its constructor, which takes the settings and the engine's.
    """

    settings_type: ClassVar[type[TaskSettings]]
    version: int  # of the game: rises when its behaviour changes, so that policies for another one are not mixed up
    num_agents: int
    observation_size: int
    action: Box | Discrete  # of each agent
    control_dt: float  # s
    time_limit: int  # control steps of the longest match
    physics: Physics
    mj_model: mujoco.MjModel
    mj_spec: mujoco.MjSpec | None = None  # what `mj_model` was compiled from; None: there is no model to save
    view: View = View()  # from where pictures are taken
    side_names: tuple[str, ...] = ()  # of a game of several sides

    def __init__(self, settings: Any, physics: PhysicsSettings):
        settings.validate()
        self.settings, self.num_agents = settings, settings.num_agents

    @abstractmethod
    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        """Starts a match, in phase `phase` `[]` int32, from 0, if the game has phases; None: as in the last one."""

    @abstractmethod
    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        """Plays one control step; `action` is `[A, n]` for `Box(n)` (clipped to [-1, 1]) and `[A]` for `Discrete`."""

    @property
    def sides(self) -> tuple[int, ...]:
        """Side of each seat, from 0. Seats of one side are interchangeable; for several sides see `SidedArena`."""
        return (0,) * self.num_agents

    @property
    def num_sides(self) -> int:
        """Number of sides."""
        return max(self.sides) + 1

    @property
    def names_of_sides(self) -> tuple[str, ...]:
        """Names of the sides of a game of several; none for a symmetric game, whose sides need not be told apart."""
        if self.num_sides == 1:
            return ()
        return self.side_names or tuple(f"side {side}" for side in range(self.num_sides))

    @property
    def idle_action(self) -> np.ndarray:
        """One agent's action `[n]`, or choice `[]`, that does nothing: controls of 0, or the first choice."""
        is_box = isinstance(self.action, Box)
        return np.zeros(self.action.size, np.float32) if is_box else np.zeros((), np.int32)

    def progressed(self, state: ArenaState, progress: Progress) -> ArenaState:
        """Returns the same match at that stage of a run, for games that change over training."""
        del progress
        return state

    def controls(self, state: ArenaState, action: jax.Array) -> jax.Array:
        """Returns what the motors get `[nu]` while `action`, clipped, is played in `state`; for films."""
        del state, action
        return jnp.zeros(0)

    def pose(self, state: ArenaState) -> jax.Array:
        """Returns the pose `[nq]` in which pictures show the match; games without a model return `[0]`."""
        return state.physics.qpos

    def describe(self, state: ArenaState) -> list[str]:
        """Describes a match in lines for a person."""
        return [f"qpos {np.round(np.asarray(self.pose(state)), 2)}"]

    def explain(self, action: np.ndarray) -> str:
        """Describes one agent's action for a person."""
        return str(np.round(action, 2))

    def report(self, outcome: np.ndarray, length: np.ndarray, metrics: dict[str, np.ndarray]) -> dict[str, float]:
        """Sums up M matches in the game's own terms, `{name: number}`.

        Given are the first agent's outcomes `[M]`, control steps `[M]` and metrics `{name: [M]}`.
        """
        del outcome, length, metrics
        return {}
