"""A game of two sides, without MuJoCo: a chaser with two controls has to touch a runner that can only turn."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct

from mjx_arena import ArenaState, Box, SidedArena, SideSpace, TaskSettings, TimeStep


@dataclass(frozen=True)
class ChaseSettings(TaskSettings):
    """Settings of the game."""

    name: str = "chase"
    num_chasers: int = 2
    time_limit: int = 20

    @property
    def num_agents(self) -> int:
        return self.num_chasers + 1


class ChaseMemory(struct.PyTreeNode):
    """State of a match of A agents."""

    place: jax.Array  # [A, 2] m, chasers first
    heading: jax.Array  # [] of the runner, rad
    controls: jax.Array  # [2 * chasers + 1] of the last step, to see what reaches the game


class Chase(SidedArena):
    """Chasers (side 0) move in any direction; the runner (side 1) moves straight on and turns."""

    settings_type = ChaseSettings
    version = 1
    control_dt = 0.1
    physics = mj_model = None
    side_spaces = (SideSpace(5, Box(2)), SideSpace(8, Box(1)))
    side_names = ("chaser", "runner")

    def __init__(self, settings, physics):
        super().__init__(settings, physics)
        self.time_limit = settings.time_limit

    @property
    def sides(self):
        return (0,) * self.settings.num_chasers + (1,)

    def pose(self, state):
        return state.memory.place.reshape(-1)

    def reset(self, key, phase=None):
        key, k_place, k_heading = jax.random.split(key, 3)
        place = jax.random.uniform(k_place, (self.num_agents, 2), minval=-1)
        heading = jax.random.uniform(k_heading, maxval=2 * jnp.pi)
        memory = ChaseMemory(place, heading, jnp.zeros(2 * self.settings.num_chasers + 1))
        state = ArenaState((), key, jnp.int32(0), memory)
        return state, self._timestep(state, jnp.bool_(False))

    def step(self, state, action):
        chasers, runner = self.split(action)
        heading = state.memory.heading + 0.5 * runner[0, 0]
        ahead = 0.1 * jnp.stack([jnp.cos(heading), jnp.sin(heading)])
        place = state.memory.place + jnp.concatenate([0.12 * chasers, ahead[None]])
        controls = jnp.concatenate([chasers.reshape(-1), runner.reshape(-1)])
        state = state.replace(step_count=state.step_count + 1, memory=ChaseMemory(place, heading, controls))
        caught = jnp.linalg.norm(place[:-1] - place[-1], axis=-1).min() < 0.2
        return state, self._timestep(state, caught)

    def _timestep(self, state, caught):
        place, chasers = state.memory.place, self.settings.num_chasers
        gap = place[-1] - place[:-1]
        left = 1 - state.step_count / self.time_limit
        seen_by_chasers = jnp.concatenate([gap, place[:-1], jnp.full((chasers, 1), left)], -1)
        nearest = gap[jnp.argmin(jnp.linalg.norm(gap, axis=-1))]
        heading = jnp.stack([jnp.cos(state.memory.heading), jnp.sin(state.memory.heading)])
        seen_by_runner = jnp.concatenate([nearest, place[-1], heading, jnp.stack([left, caught])])
        over = state.step_count >= self.time_limit
        won = jnp.where(caught, 1.0, jnp.where(over, -1.0, 0.0))
        # Outcomes of a match add up to 0: the runner's stands for all chasers.
        outcome = jnp.append(jnp.full(chasers, won / chasers), -won)
        return TimeStep(
            observation=self.join([seen_by_chasers, seen_by_runner[None]]),
            reward=outcome,
            terminated=caught | over,
            truncated=jnp.bool_(False),
            outcome=outcome,
            alive=jnp.ones(self.num_agents, bool),
            rated=jnp.bool_(True),
            action_mask=self.own_actions,
            metrics={"caught": caught.astype(jnp.float32)},
        )
