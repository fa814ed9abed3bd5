"""The ant's body against MuJoCo's C engine, and what ants feel and see."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mjx_arena.bodies import ant
from mjx_arena.bodies.posture import Posture
from mjx_arena.geometry import rotation_matrix


@pytest.fixture(scope="module")
def model():
    return ant.build_ants(2, 1 / 120, 3.0).compile()


def _start(model, noise=0.0, yaw=(np.pi, 0.0), positions=((1.5, 0), (-1.5, 0))):
    data = mujoco.MjData(model)
    data.qpos[:] = ant.place(jnp.array(positions, jnp.float32), jnp.array(yaw), jnp.full((2, 8), noise))
    data.ctrl[:] = np.tile(ant.MIDDLE, 2)
    mujoco.mj_forward(model, data)
    return data


def test_feet_stand_on_the_floor_when_the_hinges_are_in_the_middle(model):
    data = _start(model)
    shins = [i for i in range(model.ngeom) if "shin" in model.geom(i).name]
    tips = [data.geom_xpos[i, 2] - abs(data.geom_xmat[i, 8]) * model.geom_size[i, 1] - 0.08 for i in shins]
    np.testing.assert_allclose(tips, 0, atol=1e-6)
    ends = [
        data.geom_xpos[i] - data.qpos[:3] + s * data.geom_xmat[i, 2::3] * 0.5657 / 2 for i in shins[:4] for s in (1, -1)
    ]
    assert max(np.linalg.norm(end[:2]) for end in ends) + 0.08 == pytest.approx(ant.REACH, abs=1e-5)


def test_an_ant_holds_itself_up_for_ten_seconds(model):
    data = _start(model)
    mujoco.mj_step(model, data, 1200)
    assert data.qpos[2] > 0.8 * ant.STANDING_HEIGHT and np.abs(data.qvel).max() < 0.1


def test_actions_span_the_ranges_of_the_hinges(model):
    ends = ant.targets(jnp.array([[-1.0] * 8, [1.0] * 8]))
    np.testing.assert_allclose(ends, [ant.LOW, ant.HIGH], atol=1e-6)
    hinges = model.jnt_range[model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE][:8]
    np.testing.assert_allclose(ends.T, hinges, atol=1e-6)


def test_a_servo_pulls_its_hinge_towards_the_target(model):
    data = _start(model)
    wanted = np.tile(ant.MIDDLE + ant.HALF * np.array([0.6, -0.5] * 4), 2)
    data.ctrl[:] = wanted
    mujoco.mj_step(model, data, 240)
    off = np.abs(data.qpos.reshape(2, 15)[:, 7:].reshape(-1) - wanted)
    assert off.max() < 0.25


def test_ants_touch_each_other_and_the_floor_with_torso_and_shins_alone(model):
    names = {model.geom(i).name.partition("/")[2] for i in model.pair_geom2}
    assert names == {"torso", "shin_0", "shin_1", "shin_2", "shin_3"}
    near = _start(model, positions=((0.6, 0), (-0.6, 0)))
    assert any("floor" not in (model.geom(a).name, model.geom(b).name) for a, b in near.contact.geom)


def _random_state(seed):
    rng = np.random.default_rng(seed)
    qpos = rng.normal(0, 1, (3, ant.NQ)).astype(np.float32)
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos, rng.normal(0, 1, (3, ant.NV)).astype(np.float32)


def _observe(qpos, qvel):
    posture = Posture.read(jnp.array(qpos.reshape(-1)), jnp.array(qvel.reshape(-1)), len(qpos))
    return np.asarray(ant.felt(posture)), np.asarray(posture.seen())


@given(seed=st.integers(0, 1000), angle=st.floats(-3, 3), shift=st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
@hypothesis_settings(max_examples=20, deadline=None)
def test_what_ants_feel_and_see_does_not_depend_on_where_they_are(seed, angle, shift):
    qpos, qvel = _random_state(seed)
    turn = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
    rotation = np.asarray(rotation_matrix(jnp.array(turn)))
    moved, moved_speed = qpos.copy(), qvel.copy()
    moved[:, :3] = qpos[:, :3] @ rotation.T + [*shift, 0]
    moved_speed[:, :3] = qvel[:, :3] @ rotation.T
    for index in range(3):
        quat = np.zeros(4)
        mujoco.mju_mulQuat(quat, turn, qpos[index, 3:7].astype(float))
        moved[index, 3:7] = quat
    for found, expected in zip(_observe(moved, moved_speed), _observe(qpos, qvel), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_each_sees_the_others_from_the_one_after_it():
    qpos, qvel = _random_state(0)
    _, seen = _observe(qpos, qvel)
    assert seen.shape == (3, 2, 12)
    posture = Posture.read(jnp.array(qpos.reshape(-1)), jnp.array(qvel.reshape(-1)), 3)
    for own, place, other in ((0, 0, 1), (0, 1, 2), (1, 0, 2), (1, 1, 0), (2, 0, 0), (2, 1, 1)):
        gap = np.linalg.norm(qpos[other, :2] - qpos[own, :2])
        assert seen[own, place, 3] == pytest.approx(gap, rel=1e-4)
        assert seen[own, place, 2] == pytest.approx(qpos[other, 2] - qpos[own, 2], abs=1e-4)
    assert jax.tree.leaves(posture.others())[0].shape[:2] == (3, 2)
