"""Episodes of humanoid poses: how they start, succeed, fail, and are pushed."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mjx_arena
from mjx_arena import SettingError, check_arena
from mjx_arena.physics import PhysicsSettings
from mjx_arena.shaping import Ramp
from mjx_arena.tasks.humanoid_pose import HumanoidPoseSettings
from mjx_arena.tasks.humanoid_pose.rewards import REWARDS
from mjx_arena.types import Progress

NATIVE = PhysicsSettings(engine="native")
IDLE = jnp.zeros((1, 21))


@functools.cache
def make(**settings):
    return mjx_arena.make("humanoid_pose", NATIVE, **settings)


@functools.cache
def program(name, **settings):
    return jax.jit(getattr(make(**settings), name))


@pytest.fixture(scope="module")
def standing():
    """A fresh start of `stand`, and a step from it."""
    state, _ = program("reset")(jax.random.key(0))
    return state, program("step")


@pytest.mark.parametrize("reward", ["stand", "getup"])
def test_check_arena_passes(reward):
    check_arena(make(reward=reward))


@pytest.mark.slow
@pytest.mark.parametrize("reward", ["stand", "kneel"])
def test_check_arena_passes_with_mjx(reward):
    check_arena(mjx_arena.make("humanoid_pose", PhysicsSettings(engine="mjx"), reward=reward), num_steps=16)


def late(state, in_pose, step_count=749, **changes):
    memory = state.memory.replace(in_pose=jnp.int32(in_pose), practice=jnp.bool_(state.memory.practice))
    return state.replace(step_count=jnp.int32(step_count), memory=memory, **changes)


@pytest.mark.parametrize(("in_pose", "outcome"), [(749, 1), (748, -1)])
def test_standing_for_the_whole_episode_is_a_success(standing, in_pose, outcome):
    state, step = standing
    _, seen = step(late(state, in_pose), IDLE)
    assert bool(seen.truncated) and not bool(seen.terminated)
    assert seen.outcome.tolist() == [outcome] and not bool(seen.rated)


def test_leaving_the_pose_starts_the_count_anew(standing):
    state, step = standing
    after, seen = step(late(state, 100, 100), IDLE)
    assert int(after.memory.in_pose) == 101 and float(seen.metrics["pose/in_pose"]) == 1
    low = state.physics.replace(qpos=state.physics.qpos.at[2].set(1.1))
    after, seen = step(late(state, 100, 100, physics=low), IDLE)
    assert int(after.memory.in_pose) == 0 and float(seen.metrics["pose/in_pose"]) == 0
    assert not bool(seen.terminated)


def test_falling_ends_the_episode_as_a_failure(standing):
    state, step = standing
    prone = jnp.array([0.75, 0.5**0.5, 0, 0.5**0.5, 0])  # height and turn: in the air, nothing touches
    low = state.physics.replace(qpos=state.physics.qpos.at[2:7].set(prone))
    _, seen = step(late(state, 749, physics=low), IDLE)
    assert bool(seen.terminated) and not bool(seen.truncated) and seen.outcome.tolist() == [-1]


def test_a_push_comes_when_it_is_due_and_moves_the_whole_body():
    settings = {"push_speed": (0.4, 0.4), "push_interval": 10}
    state, _ = program("reset", **settings)(jax.random.key(1))
    calm, _ = program("reset", push_speed=(0.0, 0.0), push_interval=10)(jax.random.key(1))
    np.testing.assert_allclose(np.linalg.norm(state.memory.pushes, axis=-1), 0.4, rtol=1e-5)
    assert state.memory.pushes.shape == (75, 1, 2)
    for count, pushed in ((4, False), (5, True), (6, False)):
        one, two = (late(x, 0, count) for x in (state, calm))
        difference = program("step", **settings)(one, IDLE)[0].physics.sensordata[3:5]
        difference -= program("step", **settings)(two, IDLE)[0].physics.sensordata[3:5]
        # Friction slows the centre of mass within the step.
        assert (0.25 < np.linalg.norm(difference) < 0.45) == pushed
        assert pushed or np.allclose(difference, 0)


def test_a_lift_carries_its_share_of_the_weight_and_moves_with_training():
    lift = Ramp(start=0.8, end=0.2, steps=1000)
    state, _ = program("reset", lift=lift)(jax.random.key(1))
    assert float(state.memory.lift) == pytest.approx(0.8) and 0 < float(state.memory.lift_share) < 1
    moved = make(lift=lift).progressed(state, Progress(jnp.int32(500), jnp.int32(0)))
    assert float(moved.memory.lift) == pytest.approx(0.5)
    memory = moved.memory.replace(lift_share=jnp.float32(0.5), pushes=0 * moved.memory.pushes)
    high = state.physics.replace(qpos=state.physics.qpos.at[2].set(2.0), qvel=0 * state.physics.qvel)
    after, _ = program("step", lift=lift)(moved.replace(physics=high, memory=memory), IDLE)
    fallen = -9.81 * 0.75 * 3 * 0.005  # m/s after 3 steps of the engine in the air
    np.testing.assert_allclose(after.physics.sensordata[3:6], [0, 0, fallen], atol=2e-3)


def test_starts_vary_by_what_the_settings_say():
    keys = jax.random.split(jax.random.key(2), 64)
    upright, _ = jax.jit(jax.vmap(make().reset))(keys)
    qpos, qvel = np.asarray(upright.physics.qpos), np.asarray(upright.physics.qvel)
    assert np.all(qpos[:, 2] == np.float32(1.282)) and 0.03 < np.abs(qpos[:, 7:]).max() <= 0.05
    assert 0.15 < np.abs(qvel).max() <= 0.2
    lying, _ = jax.jit(jax.vmap(make(reward="getup", practice_share=0.25).reset))(keys)
    quat = np.asarray(lying.physics.qpos[:, 3:7])
    upright = 1 - 2 * (quat[:, 1] ** 2 + quat[:, 2] ** 2) > 0.5
    assert 0.1 < upright.mean() < 0.4  # these crouch


def test_practice_ends_in_time_or_with_a_fall():
    settings = {"reward": "getup", "practice_share": 1.0, "practice_steps": 30}
    state, _ = program("reset", **settings)(jax.random.key(0))
    step = program("step", **settings)
    assert bool(state.memory.practice)
    high = state.physics.replace(qpos=state.physics.qpos.at[2].set(1.3))
    for count, over in ((28, False), (29, True)):
        _, seen = step(late(state, 0, count, physics=high), IDLE)
        assert bool(seen.truncated) == over and not bool(seen.terminated)
    low = state.physics.replace(qpos=state.physics.qpos.at[2:7].set(jnp.array([0.3, 0.5**0.5, 0, 0.5**0.5, 0])))
    _, seen = step(late(state, 0, 5, physics=low), IDLE)
    assert bool(seen.terminated) and not bool(seen.truncated)
    lying = low.replace(qvel=0 * low.qvel)
    _, seen = step(late(state.replace(memory=state.memory.replace(practice=False)), 0, 5, physics=lying), IDLE)
    assert not bool(seen.terminated)  # only practice ends there


def test_idle_it_collapses_and_lies_where_limbs_meet_the_floor():
    state, _ = program("reset", reward="getup", start="standing")(jax.random.key(3))
    step = program("step", reward="getup", start="standing")
    state, _ = jax.lax.fori_loop(0, 200, lambda _, carry: step(carry[0], IDLE), step(state, IDLE))
    assert 0 < float(state.physics.qpos[2]) < 0.7


def test_settings_left_out_are_the_rewards_own():
    arena = make(reward="dm_stand")
    own = REWARDS["dm_stand"]
    assert (arena.substeps, arena.time_limit, arena.control_dt) == (own.substeps, own.time_limit, pytest.approx(0.025))
    changed = make(reward="dm_stand", substeps=2, time_limit=7)
    assert (changed.substeps, changed.time_limit) == (2, 7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward": "fly"}, "task.reward=fly: there is no such reward; choose one of stand, kneel"),
        ({"contacts": "hands"}, "task.contacts=hands: must be one of feet, limbs, floor, full, or null"),
        ({"start": "sitting"}, "task.start=sitting: must be one of standing, lying, thrown, or null"),
        ({"practice_share": 1.5}, "task.practice_share=1.5: must lie between 0 and 1"),
        ({"substeps": 0}, "task.substeps=0: must be at least 1, or null"),
        ({"start_noise": -1.0}, "task.start_noise=-1.0: must not be negative"),
        ({"push_interval": 0}, "task.push_interval=0: must be at least 1"),
        ({"push_speed": (0.5, 0.1)}, r"task.push_speed=\(0.5, 0.1\): must be \[low, high\]"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(changes, message):
    with pytest.raises(SettingError, match=message):
        HumanoidPoseSettings(**changes).validate()
