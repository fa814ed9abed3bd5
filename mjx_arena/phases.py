"""Phases of a run: what is taught in which order, and when the next phase begins. Texts count phases from 1."""

from dataclasses import dataclass

from mjx_arena.validation import checker


@dataclass(frozen=True)
class Phase:
    """A phase with the fields that all tasks share; a task adds its own weights and starts.

    A phase ends once `metric` averages at least `above` over `window` iterations, or after `arena_steps` of all arenas,
    whichever comes first; without either it lasts until `phase=` names another one.
    """

    name: str = "All"  # a word, which also names a folder
    goal: str = ""  # what is taught, in words
    self_play: bool = True  # true: members of the pool play the other seats; false: these do nothing
    learning_rate: float | None = None  # learning rate that the phase begins with; null keeps the current one
    metric: str | None = None  # metric whose mean ends the phase; null: none does
    above: float = 0.0  # mean of `metric` from which on the phase ends
    window: int = 20  # iterations that the mean of `metric` is taken over
    arena_steps: int | None = None  # arena steps, of all arenas together, after which the phase ends; null: no limit

    def validate(self, prefix: str) -> None:
        check = checker(self, prefix)
        check(self.name.isidentifier(), "name", "must be a word, for it names a folder")
        check(self.learning_rate is None or self.learning_rate > 0, "learning_rate", "must be positive, or null")
        check(self.window >= 1, "window", "must be at least 1 iteration")
        check(self.arena_steps is None or self.arena_steps >= 1, "arena_steps", "must be at least 1, or null")
