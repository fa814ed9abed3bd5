"""Data types that games, engines, batching and learners exchange; the base class of a game is in `mjx_arena.arena`.

Axes: A agents of an arena, n actions, O observations. Shapes are those of one arena; `jax.vmap` adds the batch axis.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import chex
import jax
import mujoco
import numpy as np
from flax import struct


class Box(NamedTuple):
    """`size` continuous controls in [-1, 1] per agent."""

    size: int

    def sample(self, key: chex.PRNGKey, shape: tuple[int, ...]) -> jax.Array:
        """Draws uniform random actions `[*shape, size]` float32."""
        return jax.random.uniform(key, (*shape, self.size), minval=-1)


class Discrete(NamedTuple):
    """A choice out of `size` per agent."""

    size: int

    def sample(self, key: chex.PRNGKey, shape: tuple[int, ...]) -> jax.Array:
        """Draws uniform random choices `[*shape]` int32."""
        return jax.random.randint(key, shape, 0, self.size)


class Shot(NamedTuple):
    """What a camera sees: where it looks, and from where."""

    lookat: tuple[float, float, float]  # m, the point in the middle of the picture
    distance: float  # m of the camera from there
    azimuth: float  # degrees; 90 looks along the world's y axis
    elevation: float  # degrees; negative looks down


class View(NamedTuple):
    """The camera of an arena's pictures, and the labels in them. Its functions can be pickled."""

    distance: float = 3.6  # m
    lookat: tuple[float, float, float] | None = None  # m, the point to look at; None follows the bodies
    follow: str | None = None  # name of the body to follow; None: all bodies, at their mean place
    azimuth: float = 115.0  # degrees; 90 looks along the world's y axis
    elevation: float | None = None  # degrees; None looks slightly down on bodies, and more so on a place
    steer: Callable[[np.ndarray], Shot] | None = None  # the shot of a pose `[nq]`, in place of the five fields above
    # changes the drawn model to what it is so many seconds after a match began, for what no pose says: a ring's size
    furnish: Callable[[mujoco.MjModel, float], None] | None = None
    seats: tuple[str, ...] = ()  # names by which a viewer tells the agents apart, such as colours
    colours: tuple[tuple[float, float, float], ...] = ()  # RGB from 0 to 1 of the seats' names; (): white
    points: Callable[[np.ndarray], tuple[int, ...]] | None = None  # points that a pose `[nq]` is worth to each seat
    keys: tuple[str, ...] = ()  # keyboard keys to draw, lit while the metric `key/<name>` is not 0


class Key(NamedTuple):
    """A keyboard key by which a person plays."""

    name: str  # a letter, Space, Shift, Ctrl, Up, Down, Left or Right
    does: str  # what it does, in a few words


class PhysicsState(struct.PyTreeNode):
    """The state that an engine continues from, and its sensor values; all else is computed from it."""

    qpos: jax.Array  # [nq]
    qvel: jax.Array  # [nv]
    act: jax.Array  # [na]
    warmstart: jax.Array  # [nv] acceleration that the constraint solver starts from
    sensordata: jax.Array  # [nsensordata] measured in this state, not in the one before
    fields: dict[str, jax.Array] | None = None  # fields of the model that are this match's own, by name; None: none

    def with_own(self, fields: dict[str, jax.Array] | None) -> dict[str, jax.Array]:
        """Returns the match's own fields of the model, and `fields` in their place where both have one."""
        return {**(self.fields or {}), **(fields or {})}


class Physics(Protocol):
    """A physics engine for one model. Its methods are pure functions, to the last bit if it is `reproducible`."""

    model: mujoco.MjModel

    def init(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array] | None = None) -> PhysicsState:
        """Returns the state at `qpos` `[nq]` and `qvel` `[nv]`, with sensors evaluated and no warm start."""
        ...

    def step(
        self,
        state: PhysicsState,
        ctrl: jax.Array,
        n_substeps: int,
        applied: jax.Array | None = None,
        fields: dict[str, jax.Array] | None = None,
    ) -> PhysicsState:
        """Advances `n_substeps` engine steps under the controls `ctrl` `[nu]` and generalised forces `applied` `[nv]`.

        `fields` replaces fields of the model by name, for this arena alone (joint ranges, masses, friction), in
        addition to the state's own.
        """
        ...


class ArenaState(struct.PyTreeNode):
    """The state of one match."""

    physics: PhysicsState
    key: chex.PRNGKey  # the arena's own random stream
    step_count: jax.Array  # [] control steps since the match began
    memory: Any  # the task's own pytree
    variation: Any = None  # what this match has drawn by `task.randomize`, see `mjx_arena.variation`


class TimeStep(struct.PyTreeNode):
    """What `reset` or a control step shows and pays the A agents of one match."""

    observation: jax.Array  # [A, O]
    reward: jax.Array  # [A]
    terminated: jax.Array  # [] bool: the match was decided
    truncated: jax.Array  # [] bool: the match ran out of time
    outcome: jax.Array  # [A] +1 win, 0 draw, -1 loss; meaningful where the match has ended
    alive: jax.Array  # [A] bool: the agent acts and learns; false once eliminated, or where it is a held dummy
    rated: jax.Array  # [] bool: the match counts in the league; false in a drill
    action_mask: jax.Array | None  # [A, n] bool: legal choices of a Discrete action, or the controls that each seat has
    metrics: dict[str, jax.Array]  # {name: []}; a match is logged by its mean, for names in `last/` by its last value


class Progress(NamedTuple):
    """The stage that a run has reached."""

    arena_steps: jax.Array  # [] steps of all arenas together so far
    phase: jax.Array  # [] int32, from 0; see `mjx_arena.phases`
