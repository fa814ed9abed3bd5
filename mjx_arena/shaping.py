"""What eases a game early in training and is taken away in a straight line, such as rewards on the way to a result."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from mjx_arena.types import ArenaState
from mjx_arena.validation import require


@dataclass(frozen=True)
class Ramp:
    """From `start` in a straight line to `end` after `steps` arena steps, and then `end`."""

    start: float = 0.0
    end: float = 0.0
    steps: int = 20_000_000  # arena steps of all arenas together

    def at(self, arena_steps: jax.Array) -> jax.Array:
        """The value `[]` in a run after `arena_steps` `[]`."""
        return jnp.float32(self.start + (self.end - self.start) * jnp.clip(arena_steps / self.steps, 0, 1))

    def validate(self, prefix: str) -> None:
        for key in ("start", "end"):
            require(getattr(self, key) >= 0, f"{prefix}.{key}", getattr(self, key), "must not be negative")
        require(self.steps >= 1, f"{prefix}.steps", self.steps, "must be at least 1")


@dataclass(frozen=True)
class ShapingSettings(Ramp):
    """Weight of a task's shaping. `end` is a floor above 0, as rl_games' notes on self-play in DMC soccer have it."""

    start: float = 1.0
    end: float = 0.1

    def progressed(self, state: ArenaState, arena_steps: jax.Array) -> ArenaState:
        """`state` with the weight, which it holds as `memory.shaping` `[]`, of a run after `arena_steps` `[]`."""
        return state.replace(memory=state.memory.replace(shaping=self.at(arena_steps)))

    def check_result(self, key: str, value: float, most: float) -> None:
        """Raises SettingError unless the result, `value`, is worth more than shaping of weight 1 can pay, `most`."""
        most *= max(self.start, self.end)
        require(value > most, key, value, f"must exceed what shaping can add up to in a match, {most:g}")
