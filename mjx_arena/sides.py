"""Games whose sides observe and act differently, with arrays of one width for all: `[A, O]` and `[A, n]`."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.arena import Arena
from mjx_arena.types import Box, Discrete


class SideSpace(NamedTuple):
    """The size of the observations and the kind of action that agents of one side have."""

    observation_size: int
    action: Box | Discrete


class SidedArena(Arena):
    """A game of several sides. A subclass has `sides`, a side for each seat, and `side_spaces`, a space for each side.

    Observations are padded with zeros to the widest side and end with a one-hot of the side, so that one policy serves
    every seat; actions are padded too. The subclass calls `join` on what each side observes and `split` on actions, and
    passes `own_actions` as `TimeStep.action_mask`, so that padding reaches neither the motors nor the learner.
    """

    side_spaces: tuple[SideSpace, ...]

    @property
    def observation_size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Returns the size of the widest side plus the number of sides, for the one-hot."""
        return max(space.observation_size for space in self.side_spaces) + self.num_sides

    @property
    def action(self) -> Box | Discrete:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Returns the action of the widest side. Raises ValueError if sides mix `Box` and `Discrete` actions."""
        actions = [space.action for space in self.side_spaces]
        if len({type(action) for action in actions}) > 1:
            raise ValueError("all sides must have Box actions, or all of them Discrete ones")
        return max(actions, key=lambda action: action.size)

    def join(self, by_side: Sequence[jax.Array]) -> jax.Array:
        """Returns padded observations `[A, O]`, from those of each side `[seats of the side, its size]`."""
        width, observation = self.observation_size - self.num_sides, jnp.zeros((self.num_agents, self.observation_size))
        for side, own in enumerate(by_side):
            seats = self._seats(side)
            observation = observation.at[seats, : own.shape[1]].set(own).at[seats, width + side].set(1)
        return observation

    def split(self, action: jax.Array) -> list[jax.Array]:
        """Returns unpadded actions of each side: `[seats of the side, its size]` in [-1, 1], or choices `[seats]`."""
        by_side = []
        for side, space in enumerate(self.side_spaces):
            own = action[self._seats(side)]
            by_side.append(jnp.clip(own[:, : space.action.size], -1, 1) if isinstance(space.action, Box) else own)
        return by_side

    @property
    def own_actions(self) -> jax.Array:
        """Returns which controls or choices each seat has, `[A, n]` bool; the others are padding."""
        sizes = np.array([self.side_spaces[side].action.size for side in self.sides])
        return jnp.asarray(np.arange(self.action.size) < sizes[:, None])

    def _seats(self, side: int) -> np.ndarray:
        return np.flatnonzero(np.array(self.sides) == side)
