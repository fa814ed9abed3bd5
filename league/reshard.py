"""Deals the matches in play out anew over another number of devices.

Each device holds its mirror arenas first and its league arenas after them, so the arrays cannot just be cut elsewhere.
"""

import jax
import numpy as np

from league.matches import Matches
from league.split import num_mirror

_OF_ARENAS = ("arena", "observation", "alive", "action_mask", "episode_return")


def dealt(matches: Matches, before: int, now: int, mirror_fraction: float) -> Matches:
    """Returns matches `[R, N, ...]` of `before` devices as `now` devices hold them, arrays of the host.

    Raises ValueError where the devices together had another number of mirror arenas.
    """
    arenas, agents = matches.observation.shape[1:3]
    mirror = [num_mirror(arenas // count, mirror_fraction, agents) for count in (before, now)]
    if arenas % now or mirror[0] * before != mirror[1] * now:
        raise ValueError("the kinds of arenas do not split over these devices as before")

    def deal(x: np.ndarray) -> np.ndarray:
        by_device = x.reshape(x.shape[0], before, arenas // before, *x.shape[2:])
        kinds = by_device[:, :, : mirror[0]], by_device[:, :, mirror[0] :]
        sizes = mirror[1], arenas // now - mirror[1]
        parts = [kind.reshape(x.shape[0], now, size, *x.shape[2:]) for kind, size in zip(kinds, sizes, strict=True)]
        return np.concatenate(parts, axis=2).reshape(x.shape)

    # Seats and members are those of league arenas alone, whose order stays.
    own = {name: jax.tree.map(deal, getattr(matches, name)) for name in _OF_ARENAS}
    return matches.replace(**own)
