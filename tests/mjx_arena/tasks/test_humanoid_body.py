"""MuJoCo's humanoid: its contact sets, and what is read of it, against MuJoCo in C."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from engines import ENGINES
from engines import build as engine_of

from mjx_arena.physics.mjx import load_mjx
from mjx_arena.tasks.humanoid_pose import body as humanoid
from mjx_arena.tasks.humanoid_pose.body import CONTACTS, NUM_MOTORS


@pytest.fixture(scope="module")
def models():
    return {name: humanoid.build(name, iterations=100).compile() for name in CONTACTS}


def settled(model, kneeling=False, steps=100):
    """After some idle steps from the reference pose, or from one a little above its knees."""
    data = mujoco.MjData(model)
    if kneeling:
        data.qpos[2] = 0.95
        for side in ("right", "left"):
            data.qpos[model.joint(f"knee_{side}").qposadr] = -1.6
            data.qpos[model.joint(f"ankle_y_{side}").qposadr] = 0.3
    mujoco.mj_step(model, data, steps)
    return data


def touching(model, data):
    return {model.geom(geom).name for pair in data.contact.geom for geom in pair}


def test_it_is_mujocos_humanoid(models):
    model = models["full"]
    assert (model.nq, model.nv, model.nu, model.ntendon) == (28, 27, 21, 2)
    assert model.body_mass.sum() == pytest.approx(40.844, abs=1e-3)
    assert np.all(model.actuator_ctrlrange == [-1, 1])  # the full range of the motors
    data = settled(model, steps=0)
    mujoco.mj_forward(model, data)
    assert data.xpos[model.body("torso").id][2] == pytest.approx(humanoid.STANDING_HEIGHT)
    assert len(data.contact) == 8 and np.allclose(data.contact.dist, 0, atol=1e-3)


def test_sets_differ_in_what_meets_the_floor_alone(models):
    rows = {name: load_mjx().make_data(model, impl="jax")._impl.contact.dist.shape[0] for name, model in models.items()}
    assert rows == {"feet": 8, "limbs": 17, "floor": 35, "full": 175}


@pytest.mark.parametrize(("name", "kneeling"), [("feet", False), ("limbs", True), ("floor", True)])
def test_a_reduced_set_moves_like_the_full_one_while_it_holds_what_touches(models, name, kneeling):
    found, expected = (settled(models[which], kneeling, 70) for which in (name, "full"))
    assert {"floor"} < touching(models["full"], expected) <= {"floor", *CONTACTS[name]}
    assert ("shin_left" in touching(models["full"], expected)) == kneeling
    np.testing.assert_allclose(found.qpos, expected.qpos, atol=1e-9)
    np.testing.assert_allclose(found.qvel, expected.qvel, atol=1e-7)


def test_without_a_limb_in_the_set_it_sinks_into_the_floor(models):
    lowest = {}
    for name in ("feet", "floor"):
        data = settled(models[name], steps=400)  # collapses
        lowest[name] = data.geom_xpos[1:, 2].min()
    assert lowest["feet"] < -0.3 and lowest["floor"] > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_moment_agrees_with_mujoco(engine, models):
    model, rng = models["limbs"], np.random.default_rng(0)
    qpos = np.concatenate([[0.3, -0.2, 1.1], rng.normal(size=4), rng.uniform(-0.5, 0.3, 21)])
    qpos[3:7] /= np.linalg.norm(qpos[3:7])
    qvel, action = rng.normal(size=27), rng.uniform(-1, 1, NUM_MOTORS)
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, action
    mujoco.mj_forward(model, data)
    mujoco.mj_subtreeVel(model, data)

    physics, reader = engine_of(engine, model), humanoid.HumanoidSensors(model)
    state = jax.jit(physics.init)(jnp.asarray(qpos, jnp.float32), jnp.asarray(qvel, jnp.float32))
    moment = reader.read(state, jnp.asarray(action, jnp.float32), jnp.float32(0))

    def body(name):
        return data.xpos[model.body(name).id]

    expected = {
        "position": body("torso"),
        "rotation": data.xmat[model.body("torso").id].reshape(3, 3),
        "com": data.subtree_com[model.body("torso").id],
        "com_velocity": data.subtree_linvel[model.body("torso").id],
        "feet": [body("foot_right"), body("foot_left")],
        "knees": [body("shin_right"), body("shin_left")],
        "head_height": body("head")[2],
        "torque": data.actuator_force * model.actuator_gear[:, 0],
        "power": data.actuator_force * data.actuator_velocity,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(moment, name), value, atol=2e-5, rtol=2e-5, err_msg=name)
    # In the torso's coordinates nothing of the observation but where world's x lies depends on the heading.
    assert humanoid.observation(moment).shape == (67,)
