"""Left and right exchanged: what observations, actions and states become in a mirror. Axes: A agents.

A game whose rules and bodies know no left and right declares its `Symmetry`, and `check_arena` proves it on the engine:
the image of a state under the images of actions steps to the image of the next state. A learner can then learn from the
images of its samples too.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.types import ArenaState, PhysicsState


class Reflection(NamedTuple):
    """What a vector `[..., n]` becomes in the mirror: entries change places, and some their sign. Undoes itself."""

    source: tuple[int, ...]  # [n] the entry that each one comes from
    sign: tuple[float, ...]  # [n] 1 or -1

    def __call__(self, vector: jax.Array) -> jax.Array:
        """Returns the image `[..., n]` of controls or observations."""
        return vector[..., np.array(self.source)] * np.array(self.sign, np.float32)

    def of_choice(self, choice: jax.Array) -> jax.Array:
        """Returns the image `[...]` of a choice `[...]`, whose signs do not matter."""
        return jnp.array(self.source)[choice]

    def of_mask(self, mask: jax.Array) -> jax.Array:
        """Returns the image `[..., n]` of which choices or controls there are."""
        return mask[..., np.array(self.source)]


class Symmetry(NamedTuple):
    """What a game looks like in a mirror in which it is the same game."""

    observation: Reflection  # of one agent
    action: Reflection  # of one agent: of its controls, or of the list of its choices
    state: Callable[[ArenaState], ArenaState]  # of a whole match
    seats: tuple[int, ...]  # [A] the seat that each agent of the image comes from
    # whether `[]` a match is so even that what is observed must choose a side: it is then no image of itself
    is_tied: Callable[[ArenaState], jax.Array] | None = None


def by_names(
    names: Sequence[str], odd: Callable[[str], bool], exchange: Callable[[str], str] = lambda name: name
) -> Reflection:
    """Builds a reflection from the names of a vector's entries.

    `exchange` gives the name of the entry from the other side; an entry for which `odd` is true changes its sign.
    """
    place = {name: index for index, name in enumerate(names)}
    return Reflection(
        tuple(place[exchange(name)] for name in names), tuple(-1.0 if odd(name) else 1.0 for name in names)
    )


def joined(*parts: Reflection) -> Reflection:
    """Joins reflections of parts, one after the other, to that of the whole vector."""
    source, sign, start = [], [], 0
    for part in parts:
        source += [start + index for index in part.source]
        sign += part.sign
        start += len(part.source)
    return Reflection(tuple(source), tuple(sign))


def kept(size: int) -> Reflection:
    """Returns the reflection of `size` entries that look the same in the mirror."""
    return Reflection(tuple(range(size)), (1.0,) * size)


def seated(part: Reflection, seats: Sequence[int]) -> Reflection:
    """Returns the reflection of `[A * n]` entries, `part` for each agent, whose images take the places `seats`."""
    size = len(part.source)
    source = tuple(seat * size + index for seat in seats for index in part.source)
    return Reflection(source, part.sign * len(seats))


# A free joint in the mirror that exchanges +y and -y, of the world and of the body: position and quaternion; velocity
# in world coordinates and spin in the body's. A spin is an axial vector: its other two parts change their signs.
FREE_POSITION = Reflection(tuple(range(7)), (1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0))
FREE_VELOCITY = Reflection(tuple(range(6)), (1.0, -1.0, 1.0, -1.0, 1.0, -1.0))
_SIDE, _OTHER = r"(?<=_)(left|right)(?=$| )|^(left|right)(?= )", {"left": "right", "right": "left"}
_ODD_ENDS = (" left", "spin x", "spin z")


def is_odd(name: str) -> bool:
    """Returns whether an observation changes its sign, by a name as `mjx_arena.bodies.posture` gives them."""
    if name == "time left":
        return False
    return name.endswith(_ODD_ENDS) or (name.endswith(" y") and not name.endswith("spin y"))


def other_side(name: str) -> str:
    """Returns the name of the same entry of the limb on the other side, of `angle knee_left` or `left foot x`, say."""
    return re.sub(_SIDE, lambda found: _OTHER[found[0]], name)


def reflected_physics(
    physics: PhysicsState, position: Reflection, velocity: Reflection, sensors: Reflection | None = None
) -> PhysicsState:
    """Returns the image of an engine's state, of a model without activations."""
    return physics.replace(
        qpos=position(physics.qpos),
        qvel=velocity(physics.qvel),
        warmstart=velocity(physics.warmstart),
        sensordata=physics.sensordata if sensors is None else sensors(physics.sensordata),
    )
