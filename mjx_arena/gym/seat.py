"""The learner's seat of an arena, whose other seats somebody else plays."""

from collections.abc import Callable

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.arena import Arena
from mjx_arena.types import Box

# Plays a seat: actions [..., n] or [...] for observations [..., O], legal choices [..., n] or None, and a key.
Opponent = Callable[[jax.Array, jax.Array | None, jax.Array], jax.Array]


def passive(arena: Arena) -> Opponent:
    """Does nothing: zero controls, or the first choice, or the first legal one."""

    def act(observation: jax.Array, mask: jax.Array | None, key: jax.Array) -> jax.Array:
        del key
        shape = observation.shape[:-1]
        if isinstance(arena.action, Box):
            return jnp.zeros((*shape, arena.action.size))
        return jnp.zeros(shape, jnp.int32) if mask is None else jnp.argmax(mask, -1).astype(jnp.int32)

    return act


def joint_action(arena: Arena, opponent: Opponent, seen: tuple, action: jax.Array, key: jax.Array) -> jax.Array:
    """Actions `[A, ...]` of all seats: `action` in the first, the opponent in the others.

    `seen` is what the seats observe `[A, O]` and may choose, `[A, n]` or None. Seats are interchangeable, so the
    learner can always have the first.
    """
    observation, mask = seen
    if arena.num_agents == 1:
        return action[None]
    others = opponent(observation[1:], None if mask is None else mask[1:], key)
    return jnp.concatenate([action[None], others.astype(action.dtype)])


def spaces(arena: Arena) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Space]:
    """Of one agent's observations and actions."""
    observation = gymnasium.spaces.Box(-np.inf, np.inf, (arena.observation_size,), np.float32)
    if isinstance(arena.action, Box):
        return observation, gymnasium.spaces.Box(-1, 1, (arena.action.size,), np.float32)
    return observation, gymnasium.spaces.Discrete(arena.action.size)
