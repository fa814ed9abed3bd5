"""Car soccer by a person: keys as in the game, turned into controls or a row of the action table."""

import numpy as np

from mjx_arena.tasks.car_soccer import actions
from mjx_arena.types import Key

KEYBOARD = (
    Key("W", "drive; nose down in the air"),
    Key("S", "brake, reverse; nose up in the air"),
    Key("A", "left"),
    Key("D", "right"),
    Key("Q", "roll left"),
    Key("E", "roll right"),
    Key("Space", "jump; again with a direction: dodge"),
    Key("Shift", "boost"),
    Key("Ctrl", "handbrake"),
)
# How much it matters that a row of the table differs from what is held, in the order of `actions.NAMES`.
_MATTERS = np.array([2.0, 2.0, 1.5, 0.5, 1.5, 4.0, 1.8, 1.0])


def controls(held: frozenset[str]) -> np.ndarray:
    """Returns the controls `[8]` of held keys; each serves on the wheels and in the air.

    Pictures show the game mirrored, so what a person sees as right is left in it. A positive pitch lifts the nose.
    """
    ahead, turn, roll = (_axis(held, *pair) for pair in (("W", "S"), ("A", "D"), ("Q", "E")))
    return np.array([ahead, turn, -ahead, turn, roll, "Space" in held, "Shift" in held, "Ctrl" in held], np.float32)


def row(held: frozenset[str], legal: np.ndarray) -> int:
    """Returns the legal row `legal` `[90]` of the table that is nearest to the controls of held keys."""
    if not held:
        return actions.IDLE
    wanted = controls(held)
    distance = np.abs(actions.TABLE - wanted) @ _MATTERS
    return int(np.argmin(np.where(legal, distance, np.inf)))


def _axis(held: frozenset[str], positive: str, negative: str) -> float:
    return float(positive in held) - float(negative in held)
