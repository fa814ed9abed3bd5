"""Rotations against MuJoCo's own."""

import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from mjx_arena.geometry import heading, rotation_matrix, to_heading_frame, turned, yaw_quaternion


def random_quaternions(num):
    quat = np.random.default_rng(0).normal(size=(num, 4))
    return quat / np.linalg.norm(quat, axis=1, keepdims=True)


def test_rotation_matrices_agree_with_mujoco():
    quats, expected = random_quaternions(20), np.zeros((20, 9))
    for quat, matrix in zip(quats, expected, strict=True):
        mujoco.mju_quat2Mat(matrix, quat)
    np.testing.assert_allclose(rotation_matrix(jnp.array(quats)), expected.reshape(20, 3, 3), atol=1e-6)


@pytest.mark.parametrize("angle", [-3.0, -0.4, 0.0, 1.2])
def test_a_turn_about_the_vertical_moves_the_heading_by_its_angle(angle):
    facing = heading(rotation_matrix(yaw_quaternion(jnp.float32(angle))))
    np.testing.assert_allclose(facing, [np.cos(angle), np.sin(angle)], atol=1e-6)


def test_the_heading_has_unit_length_however_the_body_is_tilted():
    lengths = np.linalg.norm(heading(rotation_matrix(jnp.array(random_quaternions(20)))), axis=-1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)


def test_the_heading_of_a_body_that_looks_straight_up_is_finite():
    upwards = jnp.array([np.sqrt(0.5), 0, -np.sqrt(0.5), 0])
    assert np.isfinite(heading(rotation_matrix(upwards))).all()


def test_the_heading_frame_is_ahead_left_and_up():
    facing_y = jnp.array([0.0, 1.0])
    np.testing.assert_allclose(to_heading_frame(jnp.array([3.0, 2.0, 5.0]), facing_y), [2, -3, 5])


def test_turning_further_about_the_vertical_agrees_with_mujoco():
    for quat in random_quaternions(5):
        expected = np.zeros(4)
        mujoco.mju_mulQuat(expected, np.asarray(yaw_quaternion(jnp.float32(0.7)), np.float64), quat)
        np.testing.assert_allclose(turned(jnp.array(quat), jnp.float32(0.7)), expected, atol=1e-6)
