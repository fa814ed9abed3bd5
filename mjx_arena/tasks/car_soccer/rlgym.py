"""What a policy needs to play in RLGym: how it observes and acts, as plain data for `mjx_arena.rlgym_bot`."""

from typing import TYPE_CHECKING, Any

from mjx_arena.tasks.car_soccer import actions, ball, boost, car, field, scene
from mjx_arena.tasks.car_soccer.units import TICK

if TYPE_CHECKING:
    from mjx_arena.tasks.car_soccer.arena import CarSoccerSettings

_OF_OTHER = "place, velocity and nose of each in the car's axes (0 if demolished), boost, on its wheels, demolished"
# Of one car, in uu, uu/s and rad/s over the numbers of `scales`; the field is turned so that its team attacks +y.
_GROUPS = {
    "ball": (9, "place, velocity and spin of the ball"),
    "self": (16, "place, nose, roof, velocity, spin in its own axes, boost"),
    "context": (9, "the ball's place and velocity from the car, in its axes; distance d, exp(-d / 500 uu), time left"),
    "previous": (8, "controls of the last control step"),
    "masks": (5, "on the wheels, may jump again, has dodged, hull on the field, supersonic"),
    "allies": (12, _OF_OTHER),
    "opponents": (12, _OF_OTHER),
    "pads": (24, "of the 3 pads nearest to the car, then to the ball: place in its axes, s / 10 until ready, big"),
    "goals": (12, "the other and the own goal: from the car in its axes, then from the ball"),
}
# RLGym lists pads from the half of blue; the second half are mirror images of these, in the opposite order.
_FIRST_PADS = (
    *((0, -4240), (-1792, -4184), (1792, -4184), (-3072, -4096), (3072, -4096), (-940, -3308), (940, -3308)),
    *((0, -2816), (-3584, -2484), (3584, -2484), (-1788, -2300), (1788, -2300)),
    *((-2048, -1036), (0, -1024), (2048, -1036), (-3584, 0), (-1024, 0)),
)


def interface(settings: "CarSoccerSettings") -> dict[str, Any]:
    """Returns the data for cars of a game with these settings."""
    pads = [*_FIRST_PADS, *((-x, -y) for x, y in reversed(_FIRST_PADS))]
    size = {tuple(map(int, place)): bool(big) for place, big in zip(boost.PADS, boost.IS_BIG, strict=True)}
    others = {"allies": settings.team_size - 1, "opponents": settings.team_size}
    return {
        "team_size": settings.team_size,
        "ticks": settings.ticks,
        "ticks_per_second": round(1 / TICK),
        "frames": settings.frames,
        "sticky_keys": settings.sticky_keys,
        "controls": list(actions.NAMES),
        "table": actions.TABLE.astype(int).tolist() if settings.actions == "table" else None,
        "ground_rows": actions.NUM_GROUND_ROWS,
        "observation": [
            {"group": name, "size": _GROUPS[name][0] * others.get(name, 1), "holds": _GROUPS[name][1]}
            for name in settings.observe
        ],
        "pads": [[*place, size[place]] for place in pads],
        "nearest_pads": scene.NEAREST,
        "scales": {
            "place": [field.HALF_WIDTH, field.HALF_LENGTH, field.HEIGHT],
            "distance": scene.FAR,
            "near": scene.NEAR,
            "ball_speed": ball.MAX_SPEED,
            "ball_spin": ball.MAX_SPIN,
            "car_speed": car.MAX_SPEED,
            "car_spin": car.MAX_SPIN,
            "boost": boost.FULL,
            "pad_timer": scene.LONGEST_PAUSE,
            "game": scene.GAME,
        },
        "field": {"corner": field.CORNER, "goal": [field.GOAL_HALF_WIDTH, field.GOAL_DEPTH, field.GOAL_HEIGHT]},
        "hull": {"centre": car.HULL.tolist(), "size": car.SIZE.tolist()},
    }
