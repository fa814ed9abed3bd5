"""Phases of a run: what is taught in which order, and when the next one begins. People count them from 1."""

from dataclasses import dataclass

from mjx_arena.validation import checker


@dataclass(frozen=True)
class Phase:
    """What every task's phases have; a task adds weights and starts of its own, which it keeps as arrays by phase.

    It ends once `metric` has been at least `above` on average over `window` iterations, or after `arena_steps` of all
    arenas, whichever is first; without either it lasts until `phase=` names another one.
    """

    name: str = "All"
    goal: str = ""  # for people
    self_play: bool = True  # members of the pool play the other seats; else they do nothing
    learning_rate: float | None = None  # to begin the phase with; null: as it is
    metric: str | None = None
    above: float = 0.0
    window: int = 20
    arena_steps: int | None = None

    def validate(self, prefix: str) -> None:
        check = checker(self, prefix)
        check(self.name.isidentifier(), "name", "must be a word, for it names a folder")
        check(self.learning_rate is None or self.learning_rate > 0, "learning_rate", "must be positive, or null")
        check(self.window >= 1, "window", "must be at least 1 iteration")
        check(self.arena_steps is None or self.arena_steps >= 1, "arena_steps", "must be at least 1, or null")
