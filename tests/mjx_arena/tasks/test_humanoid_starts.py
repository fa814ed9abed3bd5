"""Where humanoids begin: on the floor, in their joints' range, and anywhere that the name of the start promises."""

import jax
import mujoco
import numpy as np
import pytest

from mjx_arena.tasks.humanoid_pose import body as humanoid
from mjx_arena.tasks.humanoid_pose.starts import Starts


@pytest.fixture
def model():
    return humanoid.build("floor").compile()


@pytest.fixture(scope="module")
def drawn():
    starts, keys = Starts(humanoid.build("floor").compile()), jax.random.split(jax.random.key(0), 256)

    def many(draw):
        return np.asarray(jax.jit(jax.vmap(draw))(keys), np.float64)

    found = {
        name: many(lambda key, name=name: starts.draw(key, name, 0.05)) for name in ("standing", "lying", "thrown")
    }
    return found | {"crouching": many(starts.crouching)}


def posed(model, qpos):
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    return data


def up(poses):
    """The torso's up axis . the world's."""
    return 1 - 2 * (poses[:, 4] ** 2 + poses[:, 5] ** 2)


@pytest.mark.parametrize("name", ["crouching", "lying"])
def test_poses_on_the_floor_touch_it_and_nothing_sinks_in(model, drawn, name):
    model.geom_margin[:] = 1e-3  # contacts are listed from here on, before bodies touch
    for qpos in drawn[name][:64]:
        assert abs(posed(model, qpos).contact.dist.min()) < 1e-5


@pytest.mark.parametrize("name", ["crouching", "lying", "thrown"])
def test_hinges_are_within_their_range_and_turns_are_turns(model, drawn, name):
    low, high = model.jnt_range[1:].T
    assert np.all(drawn[name][:, 7:] >= low - 1e-6) and np.all(drawn[name][:, 7:] <= high + 1e-6)
    np.testing.assert_allclose(np.linalg.norm(drawn[name][:, 3:7], axis=1), 1, rtol=1e-5)


def test_standing_is_the_reference_pose_but_for_its_hinges(model, drawn):
    np.testing.assert_allclose(drawn["standing"][:, :7], np.tile(model.qpos0[:7], (256, 1)), rtol=1e-6)
    off = drawn["standing"][:, 7:]
    assert np.abs(off).max() <= 0.05 < 2 * np.abs(off).max() and np.abs(off.mean(0)).max() < 0.01


def test_crouching_reaches_from_standing_to_the_squat(drawn):
    height = drawn["crouching"][:, 2]
    assert height.max() == pytest.approx(1.282, abs=0.01) and 0.5 < height.min() < 0.7
    assert up(drawn["crouching"]).min() > 0.9


def test_lying_is_level_on_every_side_and_facing_any_way(drawn):
    poses = drawn["lying"]
    assert np.abs(up(poses)).max() <= np.sin(np.deg2rad(10)) + 1e-5
    w, x, y, z = poses[:, 3:7].T
    chest_up = 2 * (x * z - w * y)  # the body's x axis . the world's up: 1 on its back, -1 on its front
    side_up = 2 * (y * z + w * x)
    for axis in (chest_up, side_up):
        assert axis.min() < -0.9 and axis.max() > 0.9 and abs(axis.mean()) < 0.15
    head = np.arctan2(2 * (y * z - w * x), 2 * (x * z + w * y))  # where on the ground the head points
    assert np.histogram(head, 4, (-np.pi, np.pi))[0].min() > 40


def test_thrown_bodies_are_in_the_air_and_turned_any_way(model, drawn):
    poses = drawn["thrown"]
    assert np.all(poses[:, 2] == 1.5)
    assert up(poses).min() < -0.9 and up(poses).max() > 0.9 and abs(up(poses).mean()) < 0.15
    assert all(not np.any(posed(model, qpos).contact.dist < 0) for qpos in poses[:64])
