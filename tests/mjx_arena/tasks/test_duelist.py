"""The duelist's body against MuJoCo's C engine."""

import mujoco
import numpy as np
import pytest
from still_duel import STANDING, stand

import mjx_arena
from mjx_arena.tasks.humanoid_duel import HumanoidDuelSettings
from mjx_arena.tasks.humanoid_duel import body as duelist

AGENTS = ("red", "blue")


@pytest.fixture(scope="module")
def body():
    """Model of one duelist without a floor."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    duelist.add_duelist(spec, "one", (1, 1, 1, 1))
    return spec.compile()


@pytest.fixture(scope="module")
def model():
    return mjx_arena.make("humanoid_duel").mj_model


def pose(body, quat=(1, 0, 0, 0), hinges=(0, 0, 0, 0)):
    """`MjData` of the body with its torso's origin at the world's."""
    data = mujoco.MjData(body)
    data.qpos[:] = [0, 0, 0, *quat, *hinges]
    mujoco.mj_kinematics(body, data)
    return data


def lowest(body, data, geoms):
    """Lowest point of capsules and spheres."""
    tilt = np.abs(data.geom_xmat[geoms, 8]) * np.where(
        body.geom_type[geoms] == mujoco.mjtGeom.mjGEOM_CAPSULE, body.geom_size[geoms, 1], 0
    )
    return (data.geom_xpos[geoms, 2] - tilt - body.geom_size[geoms, 0]).min()


def ids(body, names, prefix="one"):
    return [body.geom(f"{prefix}/{name}").id for name in names]


def test_both_bodies_weigh_the_same_and_as_much_as_a_person(model):
    red, blue = (model.body_subtreemass[model.body(f"{name}/torso").id] for name in AGENTS)
    assert red == blue and 40 < red < 100


def test_left_and_right_are_mirror_images(body):
    left = [i for i in range(body.ngeom) if body.geom(i).name.endswith("left")]
    data = pose(body)
    for index in left:
        name = body.geom(index).name
        other = body.geom(name.replace("left", "right")).id
        np.testing.assert_allclose(data.geom_xpos[index] * [1, -1, 1], data.geom_xpos[other], atol=1e-9, err_msg=name)
        np.testing.assert_allclose(body.geom_size[index], body.geom_size[other], err_msg=name)
    for name in ("hip", "knee"):
        left, right = (body.joint(f"one/{name}_{side}") for side in ("left", "right"))
        np.testing.assert_array_equal(left.range, right.range)
        assert body.actuator(f"one/{name}_left").gear[0] == body.actuator(f"one/{name}_right").gear[0]


def test_the_legs_hang_below_the_torso_and_end_in_the_soles(body):
    data = pose(body)
    torso = data.xipos[body.body("one/torso").id, 2]
    for side in ("left", "right"):
        hip, knee = (data.xanchor[body.joint(f"one/{joint}_{side}").id, 2] for joint in ("hip", "knee"))
        soles = data.geom_xpos[ids(body, [s for s in duelist.SOLES if s.endswith(side)]), 2]
        assert torso > hip > knee > soles.max()
    assert lowest(body, data, ids(body, duelist.SOLES)) == pytest.approx(-STANDING)


def test_every_hinge_turns_about_the_pitch_axis_and_is_driven_by_its_own_control(body):
    data = pose(body)
    for index, name in enumerate(duelist.HINGES):
        joint = body.joint(f"one/{name}")
        np.testing.assert_allclose(data.xaxis[joint.id], [0, 1, 0], atol=1e-12)
        assert joint.qposadr[0] == 7 + index and body.actuator_trnid[index, 0] == joint.id
        np.testing.assert_array_equal(body.actuator_ctrlrange[index], [-1, 1])


@pytest.mark.parametrize("side", ["left", "right"])
def test_positive_hips_swing_backwards_and_knees_bend_backwards(body, side):
    anchor, sole = body.joint(f"one/knee_{side}").id, ids(body, [f"toe_{side}"])[0]
    straight = pose(body)
    swung = pose(body, hinges=[0.3 if name == f"hip_{side}" else 0 for name in duelist.HINGES])
    bent = pose(body, hinges=[0.3 if name == f"knee_{side}" else 0 for name in duelist.HINGES])
    assert swung.xanchor[anchor, 0] < straight.xanchor[anchor, 0] - 0.05
    assert bent.geom_xpos[sole, 0] < straight.geom_xpos[sole, 0] - 0.05
    assert bent.geom_xpos[sole, 2] > straight.geom_xpos[sole, 2] - 0.1
    assert body.joint(f"one/knee_{side}").range[0] == 0, "a knee does not bend forwards"


def test_the_hinges_carry_the_body(body):
    """Each motor alone holds more than the weight of the whole body at the reach of a foot."""
    weight = body.body_subtreemass[1] * 9.81
    reach = np.abs(pose(body).geom_xpos[ids(body, duelist.SOLES), 0]).max()
    assert (body.actuator_gear[:, 0] > 0.5 * weight * reach).all()


def test_a_standing_duelist_touches_the_floor_with_all_soles_and_nothing_else(model):
    data = mujoco.MjData(model)
    data.qpos[:] = stand(positions=((-1, 0), (1, 0))).reshape(-1)
    mujoco.mj_fwdPosition(model, data)
    touching = {model.geom(int(geom)).name for pair in data.contact.geom for geom in pair}
    assert touching == {"floor"} | {f"{agent}/{sole}" for agent in AGENTS for sole in duelist.SOLES}
    assert np.abs(data.contact.dist).max() < 1e-6


def test_without_control_it_stands_for_half_a_second(model):
    data = mujoco.MjData(model)
    data.qpos[:] = stand(positions=((-1, 0), (1, 0))).reshape(-1)
    while data.time < 0.5:
        mujoco.mj_step(model, data)
        assert data.contact.dist.min() > -0.005
    torsos = data.qpos.reshape(2, 11)
    np.testing.assert_allclose(torsos[:, 2], STANDING, atol=0.005)
    np.testing.assert_allclose(torsos[:, 7:], 0, atol=0.05)


def test_a_limp_duelist_falls(model):
    data = mujoco.MjData(model)
    data.qpos[:] = stand(positions=((-1, 0), (1, 0))).reshape(-1)
    data.qvel[[0, 10]] = 0.5, -0.5
    mujoco.mj_step(model, data, int(3 / model.opt.timestep))
    assert (data.qpos.reshape(2, 11)[:, 2] < HumanoidDuelSettings().fall_height).all()


def test_above_the_lowest_fall_height_only_soles_can_reach_the_floor(body):
    """Among random poses on their lowest sole, and among poses searched for with a limb as low as possible."""
    rng = np.random.default_rng(0)
    low, high = body.jnt_range[1:].T
    soles, others = ids(body, duelist.SOLES), ids(body, (*duelist.LIMBS, "visor"))

    def reach(quat, hinges):
        """How far the other geoms reach below the torso's origin, and the soles."""
        data = pose(body, quat / np.linalg.norm(quat), hinges)
        return -lowest(body, data, others), -lowest(body, data, soles)

    def rate(pose):
        limb, sole = reach(*pose)
        return limb if limb >= sole else -10 * (sole - limb)  # a limb that a sole keeps off the floor does not count

    for _ in range(1000):
        limb, sole = reach(rng.normal(size=4), rng.uniform(low, high))
        if sole > duelist.LOWEST_FALL_HEIGHT:
            assert limb < sole
    best = 0
    for _ in range(8):
        found, step = (np.array([1, 0, 0, 0]) + 0.2 * rng.normal(size=4), high * rng.uniform(0.5, 1, 4)), 0.3
        for _ in range(300):
            tried = (found[0] + step * rng.normal(size=4), np.clip(found[1] + step * rng.normal(size=4), low, high))
            if rate(tried) > rate(found):
                found = tried
            else:
                step *= 0.98
        best = max(best, rate(found))
    assert 0.7 < best < duelist.LOWEST_FALL_HEIGHT
