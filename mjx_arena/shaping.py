"""Shaping: rewards on the way to a result, whose weight falls over training to a floor."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from mjx_arena.settings import require


@dataclass(frozen=True)
class ShapingSettings:
    """Weight of a task's shaping: from `start` in a straight line to `end` after `steps` arena steps, and then `end`.

    `end` is a floor: without any shaping, ants that have learned to win forget to stand (rl_games' notes on self-play).
    """

    start: float = 1.0
    end: float = 0.1
    steps: int = 20_000_000  # arena steps of all arenas together

    @property
    def most(self) -> float:
        return max(self.start, self.end)

    def weight(self, arena_steps: jax.Array) -> jax.Array:
        """`[]` after `arena_steps` `[]`."""
        return self.start + (self.end - self.start) * jnp.clip(arena_steps / self.steps, 0, 1)

    def validate(self, prefix: str) -> None:
        for key in ("start", "end"):
            require(getattr(self, key) >= 0, f"{prefix}.{key}", getattr(self, key), "must not be negative")
        require(self.steps >= 1, f"{prefix}.steps", self.steps, "must be at least 1")
