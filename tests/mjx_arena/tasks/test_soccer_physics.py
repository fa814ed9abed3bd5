"""Cars and ball against trajectories of RocketSim, an independent engine, on both of ours."""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_arena.physics import PhysicsSettings, make_physics
from mjx_arena.tasks.car_soccer import ball, boost, car, field, world
from mjx_arena.tasks.car_soccer.car import Controls
from mjx_arena.tasks.car_soccer.units import METRE

REFERENCE = json.loads((Path(__file__).parents[2] / "data" / "rocketsim.json").read_text())["cases"]
AXES, KEYS = ("throttle", "steer", "pitch", "yaw", "roll"), ("jump", "boost", "handbrake")
TICKS = 420
LIFT = 1000.0  # uu: cases of the open air begin at height 0, in a world without ground

# Cases beside the reference: what they hold is known in closed form.
OWN = {"brake_from_1400": {"kind": "car", "init": {"pos": [0, -4000, 17.03], "vel": [0, 1400, 0], "yaw": np.pi / 2},
                           "plan": [[0, 999, {"throttle": -1}]]}}  # fmt: skip
TURNS = {
    500: ((514.0, 0.00394), (539.5, 0.00387)),
    1000: ((762.5, 0.00291), (427.8, 0.00411)),
    1500: ((1255.4, 0.00173), (857.9, 0.00261)),
    1750: ((1508.0, 0.00131), (1098.4, 0.00203)),
    2300: ((2042.9, 0.00095), (1610.2, 0.00122)),
}
for _speed in TURNS:
    held = {"steer": 1, "throttle": 0.15 if _speed == 500 else 0}
    straight = {"pos": [0, 0, 17.03], "vel": [_speed, 0, 0]}
    OWN[f"steer_at_{_speed}"] = {"kind": "car", "init": straight, "plan": [[0, 999, held]]}
CASES = REFERENCE | OWN


def _case(case):
    """Engine state and controls `[T]` of one case: one ball, one car, and whichever is not asked for out of the way."""
    init = case["init"]
    lift = LIFT if case["kind"] == "car" and init["pos"][2] == 0 else 0
    the_ball = init if case["kind"] == "ball" else {"pos": case.get("ball", [3000, 3000, ball.RADIUS])}
    the_car = init if case["kind"] == "car" else {"pos": [-3000, -3000, 17.03]}
    qpos, qvel = np.zeros(14), np.zeros(12)
    yaw, roll = the_car.get("yaw", 0) / 2, the_car.get("roll", 0) / 2
    qpos[:3], qpos[3] = the_ball["pos"], 1
    qpos[7:10] = np.add(the_car["pos"], [0, 0, lift])
    (cos, sin), (cos_roll, sin_roll) = ((np.cos(angle), np.sin(angle)) for angle in (yaw, roll))
    qpos[10:] = [cos * cos_roll, cos * sin_roll, sin * sin_roll, sin * cos_roll]
    qvel[:3], qvel[6:9] = (x.get("vel", [0, 0, 0]) for x in (the_ball, the_car))
    qpos[[0, 1, 2, 7, 8, 9]] *= METRE
    qvel[[0, 1, 2, 6, 7, 8]] *= METRE
    qvel[3:6], qvel[9:] = (x.get("ang_vel", [0, 0, 0]) for x in (the_ball, the_car))
    plan = {name: np.zeros((TICKS, 1)) for name in AXES} | {name: np.zeros((TICKS, 1), bool) for name in KEYS}
    for start, end, held in case.get("plan", []):
        for name, value in held.items():
            plan[name][start:end] = value
    return qpos, qvel, case.get("boost", 33.3), Controls(**plan)


@functools.cache
def trajectories(engine):
    """Of every case, `{name: (ball, car, boost)}` with leaves `[T, ...]`: one program for all of them."""
    physics = make_physics(world.build(1), PhysicsSettings(engine=engine))

    def run(qpos, qvel, amount, plan):
        start = world.World(jax.vmap(car.fresh)(amount[None]), jnp.zeros(boost.NUM_PADS))

        def tick(carry, controls):
            state, game, _ = world.tick(physics, *carry, controls, demolitions=False)
            return (state, game), (*world.bodies(state, 1), game.cars.boost[0])

        the_ball, cars, left = jax.lax.scan(tick, (physics.init(qpos, qvel), start), plan)[1]
        return the_ball, jax.tree.map(lambda x: x[:, 0], cars), left

    each = [_case(case) for case in CASES.values()]
    stacked = jax.tree.map(lambda *parts: jnp.asarray(np.stack(parts)), *each)
    found = jax.device_get(jax.jit(jax.vmap(run))(*stacked))
    return {name: jax.tree.map(lambda x, i=i: x[i], found) for i, name in enumerate(CASES)}


@pytest.fixture(params=["native", pytest.param("mjx", marks=pytest.mark.slow)])
def ours(request):
    def get(name):
        the_ball, the_car, left = trajectories(request.param)[name]
        lift = [0, 0, LIFT if CASES[name]["kind"] == "car" and CASES[name]["init"]["pos"][2] == 0 else 0]
        return the_ball, the_car.replace(position=the_car.position - lift), left

    return get


def rows(name, last=TICKS, key="rows"):
    """Index, position, velocity and spin of the reference after tick 0."""
    return [(tick - 1, *map(np.array, rest)) for tick, *rest in CASES[name][key] if 0 < tick <= last]


def test_the_ball_flies_as_in_the_reference(ours):
    the_ball = ours("ball_free_flight")[0]
    assert max(np.linalg.norm(the_ball.position[i] - position) for i, position, *_ in rows("ball_free_flight", 100)) < 1


@pytest.mark.parametrize(
    ("name", "last"), [("ball_drop_bounce_1000", 330), ("ball_oblique_bounce_nospin", 240), ("ball_side_wall", 180)]
)
def test_the_ball_bounces_as_in_the_reference(ours, name, last):
    the_ball = ours(name)[0]
    for i, position, _, spin in rows(name, last):
        assert np.linalg.norm(the_ball.position[i] - position) < 8
        assert np.linalg.norm(the_ball.spin[i] - spin) < 0.3


@pytest.mark.parametrize("name", ["car_throttle_from_rest", "car_throttle_boost_from_rest", "car_coast_from_1400"])
def test_speeds_on_the_ground(ours, name):
    the_car = ours(name)[1]
    for i, _, velocity, _ in rows(name):
        if velocity[1] > 50:
            assert the_car.velocity[i, 1] == pytest.approx(velocity[1], rel=0.02)


def test_boost_is_used_up_at_a_hundred_in_three_seconds(ours):
    left = ours("car_throttle_boost_from_rest")[2]
    assert left[179] == pytest.approx(50, abs=0.5) and left[365] == 0


def test_brakes_take_3500_a_second(ours):
    the_car = ours("brake_from_1400")[1]
    assert (the_car.velocity[10, 1] - the_car.velocity[30, 1]) * 120 / 20 == pytest.approx(3500, rel=0.02)


@pytest.mark.parametrize("speed", TURNS)
def test_curvature_of_full_steering(ours, speed):
    """Turns that begin straight ahead: how fast and how curved after 41 and 100 ticks, by RocketSim 2.2.1."""
    the_car = ours(f"steer_at_{speed}")[1]
    for tick, (fast, curved) in zip((41, 100), TURNS[speed], strict=True):
        now = np.linalg.norm(the_car.velocity[tick - 1])
        assert now == pytest.approx(fast, rel=0.02)
        assert the_car.spin[tick - 1, 2] / now == pytest.approx(curved, rel=0.05)


def test_a_steady_turn_under_throttle(ours):
    the_car = ours("car_full_steer_at_1000")[1]
    for i, _, velocity, spin in rows("car_full_steer_at_1000")[5:]:
        assert np.linalg.norm(the_car.velocity[i]) == pytest.approx(np.linalg.norm(velocity), rel=0.02)
        assert the_car.spin[i, 2] == pytest.approx(spin[2], rel=0.05)


@pytest.mark.parametrize("name", ["jump_hold_24", "double_jump"])
def test_height_of_jumps(ours, name):
    the_car = ours(name)[1]
    apex = max(position[2] for _, position, *_ in rows(name))
    assert the_car.position[:200, 2].max() == pytest.approx(apex, rel=0.02)


def test_a_dodge(ours):
    the_car = ours("front_dodge_rest")[1]
    change = the_car.velocity[16] - the_car.velocity[15]
    assert change[0] == pytest.approx(500, rel=0.03)
    assert np.linalg.norm(the_car.spin, axis=1).max() == pytest.approx(5.5, rel=0.03)
    for i, position, *_ in rows("front_dodge_rest", 110):
        assert np.linalg.norm(the_car.position[i] - position) < 8


@pytest.mark.parametrize("name", ["air_pitch_full_60", "air_damping_from_spin"])
def test_rotation_in_the_air(ours, name):
    the_car = ours(name)[1]
    for i, _, _, spin in rows(name):
        assert the_car.spin[i] == pytest.approx(spin, rel=0.03, abs=0.03)


def test_the_first_hit(ours):
    the_ball = ours("hit_ball_rest_1000")[0]
    for i, _, velocity, _ in rows("hit_ball_rest_1000", key="ball_rows")[1:]:
        assert np.linalg.norm(the_ball.velocity[i] - velocity) < 0.08 * np.linalg.norm(velocity)


def test_a_car_on_its_roof_comes_onto_its_wheels_by_a_jump(ours):
    the_car = ours("turtle_autoflip_jump")[1]
    assert the_car.rotation[50, 2, 2] < -0.9 and the_car.rotation[230, 2, 2] > 0.99
    assert the_car.position[230, 2] == pytest.approx(17.03, abs=0.5)


@pytest.mark.parametrize(
    ("point", "nearest", "gap"),
    [
        ([0, 0, 100], [0, 0, 1], 100),
        ([0, 0, 2000], [0, 0, -1], 48),
        ([-4000, 0, 900], [1, 0, 0], 96),
        ([2000, 5000, 900], [0, -1, 0], 120),
        ([3500, 4500, 900], [-(0.5**0.5), -(0.5**0.5), 0], 64 / 2**0.5),
        ([0, 5100, 300], [0, 0, 1], 300),  # in the mouth of a goal there is no wall
        ([850, -5900, 300], [-1, 0, 0], 42.755),  # in a goal
        ([0, -5950, 300], [0, 1, 0], 50),
    ],
)
def test_the_surfaces_of_the_field(point, nearest, gap):
    normals, distances = field.surfaces(jnp.array(point, jnp.float32))
    index = np.argmin(distances)
    np.testing.assert_allclose(normals[index], nearest, atol=1e-6)
    assert float(distances[index]) == pytest.approx(gap, abs=0.01)


def test_pads_are_those_of_the_game():
    assert len(boost.PADS) == 34 and boost.IS_BIG.sum() == 6
    assert np.array_equal(np.sort(boost.PADS, axis=0), np.sort(-boost.PADS, axis=0))
    timers, amount = boost.pick_up(
        jnp.zeros(34), jnp.array([[-3584, 10, 17.0], [0, 0, 17]]), jnp.array([20.0, 20.0]), jnp.ones(2, bool)
    )
    assert amount.tolist() == [100, 20] and timers.max() == 10 and (timers > 0).sum() == 1
    later, amount = boost.pick_up(timers, jnp.array([[-3584, 10, 17.0]]), jnp.array([20.0]), jnp.ones(1, bool))
    assert amount.tolist() == [20] and later.max() < 10  # it gives again after its pause
