"""Games of several sides, which observe and act differently, in arrays of one width: `[A, O]` and `[A, n]`."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.arena import Arena
from mjx_arena.types import Box, Discrete


class SideSpace(NamedTuple):
    """What an agent of one side observes and does."""

    observation_size: int
    action: Box | Discrete


class SidedArena(Arena):
    """A game of several sides. A subclass has `sides`, a side for each seat, and `side_spaces`, a space for each side.

    Observations are padded with zeros to the widest side and end with a one-hot of the side, so that one policy serves
    every seat; actions are padded too. The subclass calls `join` on what each side observes and `split` on actions, and
    gives `own_actions` as `TimeStep.action_mask`: so padding neither reaches its motors nor counts in what is learned.
    """

    side_spaces: tuple[SideSpace, ...]

    @property
    def observation_size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the widest side, and one for each side."""
        return max(space.observation_size for space in self.side_spaces) + self.num_sides

    @property
    def action(self) -> Box | Discrete:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the widest side. Raises ValueError where some sides have a `Box` and others a `Discrete` action."""
        actions = [space.action for space in self.side_spaces]
        if len({type(action) for action in actions}) > 1:
            raise ValueError("all sides must have Box actions, or all of them Discrete ones")
        return max(actions, key=lambda action: action.size)

    def join(self, by_side: Sequence[jax.Array]) -> jax.Array:
        """Returns observations `[A, O]` of what the seats of each side observe, `[seats of the side, its size]`."""
        width, observation = self.observation_size - self.num_sides, jnp.zeros((self.num_agents, self.observation_size))
        for side, own in enumerate(by_side):
            seats = self._seats(side)
            observation = observation.at[seats, : own.shape[1]].set(own).at[seats, width + side].set(1)
        return observation

    def split(self, action: jax.Array) -> list[jax.Array]:
        """Returns the actions of each side, `[seats of the side, its size]` in [-1, 1], or choices `[seats]`."""
        by_side = []
        for side, space in enumerate(self.side_spaces):
            own = action[self._seats(side)]
            by_side.append(jnp.clip(own[:, : space.action.size], -1, 1) if isinstance(space.action, Box) else own)
        return by_side

    @property
    def own_actions(self) -> jax.Array:
        """Controls, or choices, `[A, n]` bool that a seat has; the others are padding."""
        sizes = np.array([self.side_spaces[side].action.size for side in self.sides])
        return jnp.asarray(np.arange(self.action.size) < sizes[:, None])

    def _seats(self, side: int) -> np.ndarray:
        return np.flatnonzero(np.array(self.sides) == side)
