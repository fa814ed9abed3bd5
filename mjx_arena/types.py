"""The data that games, engines, batching and learners exchange; the base class of a game is in `mjx_arena.arena`.

Axes: A agents of an arena, n actions, O observations. All is written for one arena; `jax.vmap` adds the batch axis.
"""

from typing import Any, NamedTuple, Protocol

import chex
import jax
import mujoco
from flax import struct


class Box(NamedTuple):
    """`size` continuous controls in [-1, 1] per agent."""

    size: int

    def sample(self, key: chex.PRNGKey, shape: tuple[int, ...]) -> jax.Array:
        """Random actions `[*shape, size]`, uniform."""
        return jax.random.uniform(key, (*shape, self.size), minval=-1)


class Discrete(NamedTuple):
    """One choice out of `size` per agent."""

    size: int

    def sample(self, key: chex.PRNGKey, shape: tuple[int, ...]) -> jax.Array:
        """Random choices `[*shape]`, uniform."""
        return jax.random.randint(key, shape, 0, self.size)


class View(NamedTuple):
    """From where a picture of an arena is taken."""

    distance: float = 3.6  # m
    lookat: tuple[float, float, float] | None = None  # a place in the world; None follows the bodies
    follow: str | None = None  # the body to look at instead
    azimuth: float = 115.0  # degrees; 90 looks along the world's y axis
    elevation: float | None = None  # degrees; None looks slightly down on bodies, and more so on a place
    seats: tuple[str, ...] = ()  # how a person tells the agents apart
    keys: tuple[str, ...] = ()  # of a keyboard, to be lit where the metric `key/<name>` is not 0


class PhysicsState(struct.PyTreeNode):
    """What an engine needs to go on, and nothing that it can compute."""

    qpos: jax.Array  # [nq]
    qvel: jax.Array  # [nv]
    act: jax.Array  # [na]
    warmstart: jax.Array  # [nv] acceleration that the constraint solver starts from
    sensordata: jax.Array  # [nsensordata] of this state, not of the one before


class Physics(Protocol):
    """A physics engine for one model. Pure: same inputs, same bits."""

    model: mujoco.MjModel

    def init(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array] | None = None) -> PhysicsState: ...

    def step(
        self,
        state: PhysicsState,
        ctrl: jax.Array,
        n_substeps: int,
        applied: jax.Array | None = None,
        fields: dict[str, jax.Array] | None = None,
    ) -> PhysicsState:
        """Advances by `n_substeps` engine steps under controls `[nu]` and generalised forces `applied` `[nv]`.

        `fields` replaces model fields by name for this arena alone (joint ranges, masses, friction).
        """
        ...


class ArenaState(struct.PyTreeNode):
    physics: PhysicsState
    key: chex.PRNGKey  # the arena's own random stream
    step_count: jax.Array  # [] control steps since the match began
    memory: Any  # the task's own pytree


class TimeStep(struct.PyTreeNode):
    observation: jax.Array  # [A, O]
    reward: jax.Array  # [A]
    terminated: jax.Array  # [] bool: the match was decided
    truncated: jax.Array  # [] bool: the match ran out of time
    outcome: jax.Array  # [A] +1 win, 0 draw, -1 loss; meaningful where the match has ended
    alive: jax.Array  # [A] bool: the agent acts and learns; false once eliminated, or where it is a held dummy
    rated: jax.Array  # [] bool: the match counts in the league; false in a drill
    action_mask: jax.Array | None  # [A, n] bool, legal choices of a Discrete action, or controls that a seat has
    metrics: dict[str, jax.Array]  # {name: []}; of a match counts the mean, or for names in `last/` the last value


class Progress(NamedTuple):
    """How far a run has come."""

    arena_steps: jax.Array  # [] that it has played, in all its arenas together
    phase: jax.Array  # [] int32, from 0; see `mjx_arena.phases`
