"""Quantities that change linearly over training, such as the weight of shaping: rewards on the way to the result."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from mjx_arena.types import ArenaState
from mjx_arena.validation import require


@dataclass(frozen=True)
class Ramp:
    """A quantity that goes linearly from `start` to `end` in the first `steps` arena steps of a run, and then stays."""

    start: float = 0.0  # value when the run begins
    end: float = 0.0  # value after `steps` arena steps
    steps: int = 20_000_000  # arena steps from start to end, those of all arenas together

    def at(self, arena_steps: jax.Array) -> jax.Array:
        """Returns the value `[]` after `arena_steps` `[]` of a run."""
        return jnp.float32(self.start + (self.end - self.start) * jnp.clip(arena_steps / self.steps, 0, 1))

    def validate(self, prefix: str) -> None:
        for key in ("start", "end"):
            require(getattr(self, key) >= 0, f"{prefix}.{key}", getattr(self, key), "must not be negative")
        require(self.steps >= 1, f"{prefix}.steps", self.steps, "must be at least 1")


@dataclass(frozen=True)
class ShapingSettings(Ramp):
    """The weight of a task's shaping. By default `end` is above 0, as rl_games' notes on DMC soccer have it."""

    start: float = 1.0  # weight when the run begins
    end: float = 0.1  # weight after `steps` arena steps

    def progressed(self, state: ArenaState, arena_steps: jax.Array) -> ArenaState:
        """Returns `state` with `memory.shaping` `[]` set to the weight after `arena_steps` `[]` of a run."""
        return state.replace(memory=state.memory.replace(shaping=self.at(arena_steps)))

    def check_result(self, key: str, value: float, most: float) -> None:
        """Raises SettingError unless the result pays more, `value`, than shaping can; `most` is its sum at weight 1."""
        most *= max(self.start, self.end)
        require(value > most, key, value, f"must exceed what shaping can add up to in a match, {most:g}")
