"""Rock, paper, scissors as an arena: one step, cyclic results, and a known equilibrium."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.arena import Arena
from mjx_arena.types import ArenaState, Discrete, TimeStep
from ppo.policy import Policy, PolicyState

BEATS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])  # outcome of row against column


@dataclasses.dataclass(frozen=True)
class RockPaperScissors(Arena):
    """An arena of two agents that see nothing."""

    version = 1
    num_agents = 2
    observation_size = 1
    action = Discrete(3)
    control_dt = 1.0
    physics = None
    mj_model = None

    def pose(self, state):
        return state.step_count[None].astype(jnp.float32)

    def reset(self, key, phase=None):
        state = ArenaState(physics=(), key=key, step_count=jnp.int32(0), memory=())
        return state, self._timestep(jnp.zeros(2), jnp.bool_(False))

    def step(self, state, action):
        first = jnp.asarray(BEATS, jnp.float32)[action[0], action[1]]
        state = state.replace(step_count=state.step_count + 1)
        return state, self._timestep(jnp.stack([first, -first]), jnp.bool_(True))

    def _timestep(self, outcome, terminated):
        return TimeStep(
            observation=jnp.ones((2, 1)),
            reward=outcome,
            terminated=terminated,
            truncated=jnp.bool_(False),
            outcome=outcome,
            alive=jnp.ones(2, bool),
            rated=jnp.bool_(True),
            action_mask=None,
            metrics={},
        )


def probabilities(policy: Policy, state: PolicyState) -> np.ndarray:
    """Returns the probabilities `[3]` with which the policy plays rock, paper and scissors."""
    return np.asarray(jax.nn.softmax(policy.distribution(state, jnp.ones((1, 1))).logits[0]))


def exploitability(mixture: np.ndarray) -> float:
    """Returns what the best response wins against `mixture` `[3]`: at most 1, and 0 at the equilibrium."""
    return float((BEATS @ mixture).max())
