"""Base classes of a game and of its settings: what every game must define, and what it may, with defaults.

A game is a folder `mjx_arena/tasks/<name>/`, or a file of the user's own, with a subclass of `TaskSettings` and one of
`Arena`. Everything is written for one match; `jax.vmap` adds the batch axis. `mjx_arena.check_arena` proves the rest.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import chex
import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_arena.phases import Phase
from mjx_arena.physics import PhysicsSettings
from mjx_arena.randomize import RandomizeSettings
from mjx_arena.symmetry import Symmetry
from mjx_arena.types import ArenaState, Box, Discrete, Key, Physics, Progress, TimeStep, View


@dataclass(frozen=True)
class TaskSettings:
    """Settings of a game: a frozen dataclass that gives every field its default and its comment, which `--help` shows.

    A subclass gives `name` its default, adds fields, has `num_agents` as a field or a property, and checks its values.
    """

    name: str = ""  # name of the game
    randomize: RandomizeSettings = field(default_factory=RandomizeSettings)  # how matches differ from one another

    @property
    def num_agents(self) -> int:
        """Returns the number of players in a match."""
        return 1

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Returns the phases that a run goes through; none for a game that is taught as a whole."""
        return ()

    @property
    def num_dofs(self) -> int | None:
        """Returns the degrees of freedom of one arena, or None if unknown; see `mjx_arena.devices.configure`."""
        return None

    @property
    def weights(self) -> tuple[str, ...]:
        """Returns the names of the fields with reward weights, which may change when a run is resumed."""
        return ()

    def validate(self, prefix: str = "task") -> None:
        """Raises SettingError for the first value that cannot work; start with `check = checker(self, prefix)`."""


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
    mj_spec: mujoco.MjSpec | None = None  # the source of `mj_model`; None: there is no model to save
    view: View = View()  # the camera of pictures
    keyboard: tuple[Key, ...] = ()  # keys by which a person plays, see `by_keys`
    action_names: tuple[str, ...] = ()  # of the controls or choices, in their order, for exported policies
    observation_names: tuple[str, ...] = ()  # of one agent's observations, in their order
    side_names: tuple[str, ...] = ()  # names of the sides, for a game of several
    randomizable: tuple[str, ...] = ("mass", "friction", "motor_strength", "delay", "push")  # of `task.randomize`
    symmetry: Symmetry | None = None  # exchanges left and right; None: the game is not the same in a mirror

    def __init__(self, settings: Any, physics: PhysicsSettings):
        settings.validate()
        settings.randomize.validate("task.randomize")
        self.settings, self.num_agents = settings, settings.num_agents

    @abstractmethod
    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        """Starts a match. `phase` `[]` int32 counts from 0, for games with phases; None means the last phase."""

    @abstractmethod
    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        """Plays one control step; `action` is `[A, n]` for `Box(n)` (clipped to [-1, 1]) and `[A]` for `Discrete`."""

    @property
    def sides(self) -> tuple[int, ...]:
        """Returns the side of each seat, from 0. Seats of a side are interchangeable. For several see `SidedArena`."""
        return (0,) * self.num_agents

    @property
    def num_sides(self) -> int:
        """Returns the number of sides."""
        return max(self.sides) + 1

    @property
    def names_of_sides(self) -> tuple[str, ...]:
        """Returns the names of the sides; none for a game of one side, whose seats are all alike."""
        if self.num_sides == 1:
            return ()
        return self.side_names or tuple(f"side {side}" for side in range(self.num_sides))

    @property
    def idle_action(self) -> np.ndarray:
        """Returns an action of one agent that does nothing: by default controls of 0 `[n]` or the first choice `[]`."""
        is_box = isinstance(self.action, Box)
        return np.zeros(self.action.size, np.float32) if is_box else np.zeros((), np.int32)

    def by_keys(self, held: frozenset[str], time: float, mask: np.ndarray | None, advice: np.ndarray) -> np.ndarray:
        """Returns the action of an agent whose person holds the keys `held`, names in `keyboard`.

        `time` is that of the match, s; `mask` `[n]` are legal choices; `advice` is what a policy would do, which a game
        may build on. Without keys of its own a game follows the advice.
        """
        del held, time, mask
        return advice

    def interfaces(self) -> dict[str, dict[str, Any]]:
        """Returns what a policy needs to play this game in other simulators, `{name of the export's format: data}`.

        The data go into the exported file as JSON. Most games are played nowhere else.
        """
        return {}

    def progressed(self, state: ArenaState, progress: Progress) -> ArenaState:
        """Returns the same match as it is after `progress` of a run, for games that change during training."""
        del progress
        return state

    def controls(self, state: ArenaState, action: jax.Array) -> jax.Array:
        """Returns the motor controls `[nu]` while the clipped `action` is played in `state`; films record them."""
        del state, action
        return jnp.zeros(0)

    def pose(self, state: ArenaState) -> jax.Array:
        """Returns the pose `[nq]` that pictures show; `[0]` for a game without a model."""
        return state.physics.qpos

    def describe(self, state: ArenaState) -> list[str]:
        """Returns lines of text that describe a match."""
        return [f"qpos {np.round(np.asarray(self.pose(state)), 2)}"]

    def explain(self, action: np.ndarray) -> str:
        """Returns a text that describes one agent's action."""
        return str(np.round(action, 2))

    def report(self, outcome: np.ndarray, length: np.ndarray, metrics: dict[str, np.ndarray]) -> dict[str, float]:
        """Returns a summary of M matches in the game's own terms, `{name: number}`.

        Takes the first agent's outcomes `[M]`, lengths in control steps `[M]` and metrics `{name: [M]}`.
        """
        del outcome, length, metrics
        return {}
