"""A game without physics: the agent with the highest action at the end of a match wins."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import pytest
from flax import struct

from mjx_arena.arena import Arena
from mjx_arena.types import ArenaState, Box, Discrete, TimeStep


class ToyMemory(struct.PyTreeNode):
    """State of a match of A agents."""

    length: jax.Array  # [] steps after which the match is decided, unless it is a tie then
    drill: jax.Array  # [] bool
    dummy: jax.Array  # [] int32: the seat that is not alive in a drill
    action: jax.Array  # [A] of the last step
    offset: jax.Array  # [] int32, varies which choice is illegal
    illegal: jax.Array  # [] bool: an illegal choice has been played


@dataclass(frozen=True)
class ToyArena(Arena):
    """`Arena` whose observation is the seat (one-hot) and the steps played, and whose reward is the agent's own action.

    A match has a random length within `lengths`. At its end the ranks of the actions decide; while they all are equal
    it goes on, up to `time_limit`. Drills of odd length are not decided at all. With `masked`, one choice is illegal
    for each seat and step. A `Box` action is not clipped, so that it can tell who played it.
    """

    num_agents: int = 2
    action: Box | Discrete = Box(1)
    masked: bool = False
    drill_share: float = 0.0
    lengths: tuple[int, int] = (2, 5)
    time_limit: int = 8

    version = 1
    control_dt = 1.0
    physics = None
    mj_model = None

    @property
    def observation_size(self):
        return self.num_agents + 1

    def pose(self, state):
        return state.physics

    def reset(self, key, phase=None):
        length, drill, dummy, offset = jax.random.uniform(key, (4,))  # one draw compiles sooner than four

        def whole(uniform, low, high):
            return low + jnp.floor(uniform * (high + 1 - low)).astype(jnp.int32)

        memory = ToyMemory(
            length=whole(length, *self.lengths),
            drill=drill < self.drill_share,
            dummy=whole(dummy, 0, self.num_agents - 1),
            action=jnp.zeros(self.num_agents),
            offset=whole(offset, 0, 99),
            illegal=jnp.bool_(False),
        )
        state = ArenaState(physics=jnp.zeros(1), key=key, step_count=jnp.int32(0), memory=memory)
        return state, self._timestep(state)

    def step(self, state, action):
        value = action[:, 0] if isinstance(self.action, Box) else action.astype(jnp.float32)
        illegal = state.memory.illegal
        if self.masked:
            illegal |= ~jnp.take_along_axis(self._mask(state), action[:, None], 1).all()
        count = state.step_count + 1
        state = ArenaState(
            physics=count[None].astype(jnp.float32),
            key=state.key,
            step_count=count,
            memory=state.memory.replace(action=value, illegal=illegal),
        )
        return state, self._timestep(state)

    def _mask(self, state):
        forbidden = (state.memory.offset + state.step_count + jnp.arange(self.num_agents)) % self.action.size
        return jnp.arange(self.action.size) != forbidden[:, None]

    def _timestep(self, state):
        memory, agents = state.memory, self.num_agents
        action = memory.action
        rank = jnp.sign(action[:, None] - action).sum(1) / max(agents - 1, 1)
        undecided = (rank == 0).all() | (memory.drill & (memory.length % 2 == 1))
        terminated = (state.step_count >= memory.length) & ~undecided
        truncated = (state.step_count >= self.time_limit) & ~terminated
        elapsed = jnp.full((agents, 1), state.step_count, jnp.float32)
        return TimeStep(
            observation=jnp.concatenate([jnp.eye(agents), elapsed], 1),
            reward=action,
            terminated=terminated,
            truncated=truncated,
            outcome=jnp.where(terminated, rank, 0.0),
            alive=~memory.drill | (jnp.arange(agents) != memory.dummy),
            rated=~memory.drill,
            action_mask=self._mask(state) if self.masked else None,
            metrics={"toy": action.mean(), "last/steps": state.step_count.astype(jnp.float32)},
        )


@pytest.fixture(scope="session")
def toy_arena():
    """Returns the class, so that a test can build the variant that it needs."""
    return ToyArena
