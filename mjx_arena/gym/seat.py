"""The learner's seat in an arena, and opponents that play the other seats."""

from collections.abc import Callable

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.arena import Arena
from mjx_arena.types import Box

# Plays a seat: actions [..., n] or [...] for observations [..., O], legal choices [..., n] or None, and a key.
Opponent = Callable[[jax.Array, jax.Array | None, jax.Array], jax.Array]


def idle(arena: Arena) -> Opponent:
    """Returns an opponent that does nothing: it plays the idle action, or the first legal one if that is illegal."""

    def act(observation: jax.Array, mask: jax.Array | None, key: jax.Array) -> jax.Array:
        del key
        shape, action = observation.shape[:-1], jnp.asarray(arena.idle_action)
        still = jnp.broadcast_to(action, (*shape, *action.shape))
        if mask is None or isinstance(arena.action, Box):
            return still
        return jnp.where(mask[..., action], still, jnp.argmax(mask, -1).astype(jnp.int32))

    return act


def joint_action(arena: Arena, opponent: Opponent, seen: tuple, action: jax.Array, key: jax.Array) -> jax.Array:
    """Returns actions `[A, ...]` of all seats: `action` in the first, the opponent's in the others.

    `seen` holds the observations `[A, O]` and the legal choices `[A, n]` or None.
    """
    observation, mask = seen
    if arena.num_agents == 1:
        return action[None]
    others = opponent(observation[1:], None if mask is None else mask[1:], key)
    return jnp.concatenate([action[None], others.astype(action.dtype)])


def spaces(arena: Arena) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Space]:
    """Returns the spaces of one agent's observations and actions."""
    observation = gymnasium.spaces.Box(-np.inf, np.inf, (arena.observation_size,), np.float32)
    if isinstance(arena.action, Box):
        return observation, gymnasium.spaces.Box(-1, 1, (arena.action.size,), np.float32)
    return observation, gymnasium.spaces.Discrete(arena.action.size)
