"""Names of what a car observes, for people who look on."""

from mjx_arena.tasks.car_soccer import actions
from mjx_arena.tasks.car_soccer.scene import NEAREST

_XYZ, _OWN = ("x", "y", "z"), ("ahead", "right", "up")


def observation_names(groups: tuple[str, ...], team_size: int) -> tuple[str, ...]:
    """Returns the names of what `observe` tells a car of a team of `team_size`."""
    other = (*_named("offset", _OWN), *_named("drift", _OWN), *_named("heading", _OWN), "boost", "on wheels", "gone")
    pads = [f"{rank} by the {place}" for place in ("car", "ball") for rank in range(1, NEAREST + 1)]
    by_group = {
        "ball": [name for vector in ("position", "velocity", "spin") for name in _named(vector, _XYZ)],
        "self": [
            *(name for vector in ("position", "nose", "roof", "velocity") for name in _named(vector, _XYZ)),
            *_named("spin", _OWN),
            "boost",
        ],
        "context": [*_named("ball", _OWN), *_named("ball's drift", _OWN), "distance", "nearness", "time left"],
        "previous": list(actions.NAMES),
        "masks": ["on wheels", "may jump again", "has dodged", "on the hull", "supersonic"],
        "allies": [f"{index} {name}" for index in range(1, team_size) for name in other],
        "opponents": [f"{index} {name}" for index in range(1, team_size + 1) for name in other],
        "pads": [f"{pad}: {name}" for pad in pads for name in ("ahead", "right", "timer", "is big")],
        "goals": [name for goal in ("other goal", "own goal") for name in _named(f"{goal} from the car,", _OWN)]
        + [name for goal in ("other goal", "own goal") for name in _named(f"{goal} from the ball,", _XYZ)],
    }
    return tuple(f"{group}: {name}" for group in groups for name in by_group[group])


def _named(name: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name} {part}" for part in parts)
