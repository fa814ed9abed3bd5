"""QWOP: the runner against traces of the original's Box2D model, keys, limits, rewards, and how a run ends."""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

import mjx_arena
from mjx_arena import SettingError, check_arena
from mjx_arena.physics import PhysicsSettings
from mjx_arena.tasks.qwop import body as runner
from mjx_arena.tasks.qwop.arena import ACTION_SETS, QwopSettings, QwopShaping
from mjx_arena.tasks.qwop.body import JOINTS, PARTS, Pose

TRACES = json.loads((Path(__file__).parents[2] / "data" / "qwop_box2d.json").read_text())
NATIVE = PhysicsSettings(engine="native")


@functools.cache
def make(engine="native", **settings):
    return mjx_arena.make("qwop", PhysicsSettings(engine=engine), **settings)


@functools.cache
def program(name, engine="native", **settings):
    return jax.jit(getattr(make(engine, **settings), name))


def choice(keys, action_set="reduced"):
    return jnp.array([ACTION_SETS[action_set].index(keys)])


def begun(**settings):
    return program("reset", **settings)(jax.random.key(0))[0]


def moved(state, **changes):
    """With coordinates replaced by their names: x, height, angle, or a joint's."""
    names, qpos = ["x", "height", "angle", *JOINTS], state.physics.qpos
    for name, value in changes.items():
        qpos = qpos.at[names.index(name)].set(value)
    return state.replace(physics=state.physics.replace(qpos=qpos))


@pytest.mark.slow
def test_check_arena_passes_with_mjx():
    check_arena(make("mjx"), num_steps=16)


@pytest.mark.parametrize("settings", [{}, {"action_set": "full", "hurdle": True}])
def test_check_arena_passes(settings):
    check_arena(make(**settings))


@pytest.mark.parametrize("engine", ["mjx", "native"])
@pytest.mark.parametrize("case", TRACES["cases"], ids=lambda case: case["keys"] or "none")
def test_the_first_frames_are_those_of_box2d(engine, case):
    """The torso's place within 0.1 units of the trace after 5 frames, and 0.55 after 10; its height is 16 units."""
    settings = {"frames_per_step": 5, "start_noise": 0.0}
    state, _ = program("reset", engine, **settings)(jax.random.key(0))
    for frames, tolerance in ((0, 1e-3), (5, 0.1), (10, 0.55)):
        expected = np.array(case["frames"][str(frames)]).reshape(12, 5)
        pose = Pose.read(state.physics.qpos, state.physics.qvel)
        assert np.linalg.norm(pose.position[0] - expected[0, :2]) < tolerance
        assert abs(pose.angle[0] - expected[0, 2]) < max(tolerance / 5, 1e-4)
        if frames == 0:
            np.testing.assert_allclose(pose.position, expected[:, :2], atol=5e-3)
            np.testing.assert_allclose(pose.angle, expected[:, 2], atol=3e-3)
        state, _ = program("step", engine, **settings)(state, choice(case["keys"]))


def test_a_pose_agrees_with_mujoco():
    model = runner.build(0.02, hurdle=False).compile()
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    data.qpos[:], data.qvel[:] = runner.start() + rng.normal(size=14), rng.normal(size=14)
    mujoco.mj_forward(model, data)
    pose = Pose.read(jnp.asarray(data.qpos, jnp.float32), jnp.asarray(data.qvel, jnp.float32))
    corners = [[x, z] for x in (-1, 1) for z in (-1, 1)]
    for index, (name, part) in enumerate(PARTS.items()):
        body, speed = model.body(name).id, np.zeros(6)
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, body, speed, 0)
        place, matrix = data.xipos[body], data.xmat[body].reshape(3, 3)
        np.testing.assert_allclose(pose.position[index], [place[0] * 10, runner.GROUND - place[2] * 10], atol=1e-4)
        np.testing.assert_allclose(pose.velocity[index], [speed[3] * 10, -speed[5] * 10], atol=1e-4)
        turned = [np.cos(pose.angle[index]), np.sin(pose.angle[index])]
        np.testing.assert_allclose(turned, [matrix[0, 0], -matrix[2, 0]], atol=1e-5)
        lowest = min((place + matrix @ [x * part.half[0] / 10, 0, z * part.half[1] / 10])[2] for x, z in corners)
        assert pose.clearance[index] == pytest.approx(lowest * 10, abs=1e-4)


def test_masses_and_inertias_are_the_tables():
    model = runner.build(0.02, hurdle=False).compile()
    for name, part in PARTS.items():
        body = model.body(name)
        assert body.mass[0] == pytest.approx(part.mass)
        width, height = 2 * np.array(part.half) / 10
        assert max(body.inertia) >= part.mass * (width**2 + height**2) / 12 - 1e-9
        about_y = mujoco_inertia_about_y(model, body.id)
        assert about_y == pytest.approx(part.mass * (width**2 + height**2) / 12, rel=1e-6)


def mujoco_inertia_about_y(model, body):
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, model.body_iquat[body])
    axes = matrix.reshape(3, 3)
    return (axes @ np.diag(model.body_inertia[body]) @ axes.T)[1, 1]


def test_the_head_is_turned_upright_by_a_torque_that_answers_on_nothing():
    model = runner.build(0.02, hurdle=False).compile()
    data = mujoco.MjData(model)
    data.qpos[:] = runner.start()
    data.qpos[2], data.qpos[3] = 0.4, -0.3
    mujoco.mj_forward(model, data)
    head = 0.4 + 0.3 - JOINTS["neck"].reference
    torque = -4 * (head + 0.2) / 100
    np.testing.assert_allclose(data.qfrc_passive[2:5], [torque, -torque, 0], rtol=1e-6)


def test_keys_move_motors_as_the_game_has_it():
    arena, state = make(action_set="full"), begun(action_set="full")
    aims = {keys: dict(zip(runner.MOTORS, np.asarray(arena.controls(state, choice(keys, "full"))), strict=True))
            for keys in ACTION_SETS["full"]}  # fmt: skip
    assert all(value == 0 for value in aims[""].values())  # they brake
    assert aims["Q"] == {"right_shoulder": -2, "left_shoulder": 2, "right_hip": 2.5, "left_hip": -2.5,
                         "right_knee": 0, "left_knee": 0}  # fmt: skip
    assert aims["O"] == {name: {"right_knee": 2.5, "left_knee": -2.5}.get(name, 0) for name in runner.MOTORS}
    assert aims["W"] == {name: -value for name, value in aims["Q"].items()}
    assert aims["P"] == {name: -value for name, value in aims["O"].items()}
    assert aims["QW"] == aims["Q"] and aims["OP"] == aims["O"] and aims["QWOP"] == aims["QO"]
    assert aims["WP"] == {name: aims["W"][name] + aims["P"][name] for name in runner.MOTORS}
    assert ACTION_SETS["reduced"] == ("", "Q", "W", "O", "P", "QW", "QP", "WO", "OP")


@pytest.mark.parametrize("engine", ["mjx", "native"])
def test_limits_of_the_hips_stay_where_a_key_has_moved_them(engine):
    """Held with P, the right hip goes beyond 0.7, where it had to stop at first; and further on without a key."""
    reset, step = program("reset", engine), program("step", engine)
    state = moved(reset(jax.random.key(0))[0], height=3.0)  # in the air
    for keys, hips in (("", 0), ("O", 1), ("", 1), ("P", 2), ("W", 2), ("OP", 1)):
        state, _ = step(state, choice(keys))
        assert int(state.memory.hips) == hips
    high = {}
    for keys in ("O", "P"):
        state, _ = step(moved(reset(jax.random.key(0))[0], height=20.0), choice(keys))
        for _ in range(8):
            state, _ = step(moved(state, height=20.0), choice("Q"))
        high[keys] = float(state.physics.qpos[3 + list(JOINTS).index("right_hip")])
    assert high["O"] < 0.75 and 1.1 < high["P"] < 1.25


def test_the_observation_is_scaled_and_clipped():
    state = moved(begun(), x=20.0)  # m
    _, seen = program("step")(state, choice(""))
    pose = Pose.read(*(getattr(program("step")(state, choice(""))[0].physics, name) for name in ("qpos", "qvel")))
    observation = np.asarray(seen.observation).reshape(12, 5)
    np.testing.assert_allclose(observation[:, 0], (pose.position[:, 0] + 10) / 530 - 1, atol=1e-5)
    np.testing.assert_allclose(observation[:, 1], pose.position[:, 1] / 10, atol=1e-5)
    np.testing.assert_allclose(observation[:, 2], pose.angle / 6, atol=1e-5)
    np.testing.assert_allclose(observation[:, 3], (pose.velocity[:, 0] + 20) / 40 - 1, atol=1e-5)
    np.testing.assert_allclose(observation[:, 4], (pose.velocity[:, 1] + 25) / 42.5 - 1, atol=1e-5)
    _, far = program("step")(moved(state, x=120.0), choice(""))
    assert np.all(np.asarray(far.observation).reshape(12, 5)[:, 0] == 1)


@pytest.mark.parametrize(
    ("reward", "per_metre", "time"),
    [("seed", 1 / 0.16, 0.4), ("qwop_gym", 0.01 * 300 / 4, 10 / 300)],
)
def test_rewards_by_hand(reward, per_metre, time):
    state = begun(reward=reward)
    after, seen = program("step", reward=reward)(state, choice("W"))
    distance = float(after.physics.qpos[0] - state.physics.qpos[0])
    assert float(seen.reward[0]) == pytest.approx(per_metre * distance - time, abs=1e-4)


def test_shaping_by_hand():
    shaping = QwopShaping(posture=0.1, action_change=0.01, joint_limits=0.05)
    state = begun()
    _, plain = program("step")(state, choice("W"))
    arena = mjx_arena.make("qwop", NATIVE, shaping=shaping)
    after, seen = jax.jit(arena.step)(state, choice("W"))
    angles = np.asarray(after.physics.qpos[3:])
    limits = np.array([joint.limits for joint in JOINTS.values()])
    place = (angles - limits[:, 0]) / (limits[:, 1] - limits[:, 0])
    near = ((place < 0.1) | (place > 0.9)).sum()
    low = max(0, 0.5 + (runner.GROUND - 10 * float(after.physics.qpos[1])))
    assert near > 0 and low == 0
    assert float(seen.reward[0]) == pytest.approx(float(plain.reward[0]) - 0.01 - 0.05 * near, abs=1e-4)
    again, held = jax.jit(arena.step)(after, choice("W"))
    assert float(held.metrics["reward/action_change"]) == 0
    below, lower = jax.jit(arena.step)(moved(again, height=0.75), choice("W"))
    torso = runner.GROUND - 10 * float(below.physics.qpos[1])
    assert torso > 0 and float(lower.metrics["reward/posture"]) == pytest.approx(-0.1 * (0.5 + torso), rel=1e-3)


def test_the_head_on_the_track_is_a_fall():
    step = program("step")
    _, seen = step(moved(begun(), height=0.45, angle=0.9), choice(""))
    assert bool(seen.terminated) and float(seen.outcome[0]) == -1
    assert float(seen.metrics["reward/fall"]) == -10 and float(seen.metrics["reward/success"]) == 0
    _, seen = step(moved(begun(), height=0.85, angle=-1.5), choice(""))  # on its knees
    assert not bool(seen.terminated)


@pytest.mark.parametrize(("x", "arrived"), [(98.5, False), (100.5, True)])
def test_a_foot_on_the_track_beyond_a_hundred_metres_arrives(x, arrived):
    state, step = moved(begun(), x=x), program("step")
    for _ in range(3):  # the feet come down first
        state, seen = step(state, choice(""))
        if bool(seen.terminated):
            break
    assert bool(seen.terminated) == arrived
    if arrived:
        assert float(seen.outcome[0]) == 1 and float(seen.metrics["reward/success"]) == 50


def test_the_report_by_hand():
    metrics = {"last/distance": np.array([100.2, 100.4, 40.0, 60.0])}
    report = make(time_limit=500).report(np.array([1.0, 1, -1, -1]), np.array([400, 480, 100, 500]), metrics)
    assert report["falls"] == 0.25  # the last one's time was up
    assert report["distance"] == pytest.approx(75.15)
    assert report["distance_error"] == pytest.approx(np.std(metrics["last/distance"]) / 2)
    assert (report["frames_fastest"], report["frames"], report["frames_slowest"]) == (1600, 1760, 1920)
    assert report["seconds"] == pytest.approx(1760 / 30)
    assert "frames" not in make(time_limit=500).report(np.array([-1.0] * 4), np.full(4, 100), metrics)


def test_walking_away_backwards_fails():
    _, seen = program("step")(moved(begun(), x=-10.5), choice(""))
    assert bool(seen.terminated) and float(seen.outcome[0]) == -1


def test_the_track_has_no_end():
    for x in (-9.0, 60.0, 99.0):
        state = moved(begun(), x=x)
        for _ in range(6):
            state, seen = program("step")(state, choice(""))
        assert 0.5 < float(state.physics.qpos[1]) < 1.3


def test_a_hurdle_falls_over_when_it_is_run_into():
    state = begun(hurdle=True)
    standing, _ = program("step", hurdle=True)(state, choice(""))
    assert abs(float(standing.physics.qpos[-1])) < 0.01
    qvel = state.physics.qvel.at[0].set(3.0)
    state = moved(state, x=49.2)
    state = state.replace(physics=state.physics.replace(qvel=qvel))
    for _ in range(4):
        state, _ = program("step", hurdle=True)(state, choice(""))
    assert float(state.physics.qpos[-1]) > 0.3


def test_the_same_keys_give_the_same_bits():
    rng, step = np.random.default_rng(0), program("step")
    keys = rng.integers(0, 9, 30)

    def play():
        state, found = begun(), []
        for key in keys:
            state, seen = step(state, jnp.array([key]))
            found.append(np.concatenate([state.physics.qpos, state.physics.qvel, seen.reward]))
        return np.stack(found)

    assert np.array_equal(play(), play())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action_set": "all"}, "task.action_set=all: must be one of reduced, full"),
        ({"reward": "fast"}, "task.reward=fast: must be one of seed, qwop_gym"),
        ({"frames_per_step": 0}, "task.frames_per_step=0: must be at least 1"),
        ({"fall": -1.0}, "task.fall=-1.0: must not be negative"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(changes, message):
    with pytest.raises(SettingError, match=message):
        QwopSettings(**changes).validate()
