"""Domain randomisation: every match is played in a world that is a little different, by settings of any task.

What differs is drawn when a match begins and is part of its state, so nothing is compiled anew. Policies do not see it.
"""

from dataclasses import dataclass, fields

from mjx_arena.validation import checker


@dataclass(frozen=True)
class RandomizeSettings:
    """Ranges [low, high] from which each match draws, uniformly; its agents share what is drawn, pushes apart."""

    mass: tuple[float, float] = (1.0, 1.0)  # factor on masses, inertias and the motors' armature
    friction: tuple[float, float] = (1.0, 1.0)  # factor on the friction of contacts
    motor_strength: tuple[float, float] = (1.0, 1.0)  # factor on the forces of motors
    delay: tuple[int, int] = (0, 0)  # control steps by which actions come late
    push: tuple[float, float] = (0.0, 0.0)  # m/s that a push adds to a body, in a random horizontal direction
    push_interval: int = 100  # control steps between two pushes

    @property
    def changes(self) -> tuple[str, ...]:
        """Returns the names of the ranges that change something."""
        same = {field.name: field.default for field in fields(self) if field.name != "push_interval"}
        return tuple(name for name, value in same.items() if tuple(getattr(self, name)) != value)

    def validate(self, prefix: str) -> None:
        """Raises SettingError for the first value that is wrong."""
        check = checker(self, prefix)
        for key in ("mass", "friction", "motor_strength", "delay", "push"):
            value, least = getattr(self, key), "0 <=" if key in ("delay", "push") else "0 <"
            above = value[0] >= 0 if key in ("delay", "push") else value[0] > 0
            check(len(value) == 2 and above and value[0] <= value[1], key, f"must be [low, high], {least} low <= high")
        check(self.push_interval >= 1, "push_interval", "must be at least 1")
