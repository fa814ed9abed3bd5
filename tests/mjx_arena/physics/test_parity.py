"""Single steps of the duel's model on every engine against plain calls of MuJoCo in C, the oracle."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from c_engine import c_step, relative_error
from engines import ENGINES, build

import mjx_arena
from mjx_arena.physics import ModelSettings, PhysicsSettings
from mjx_arena.types import PhysicsState

NUM_STATES = 200
CONVERGED = PhysicsSettings(model=ModelSettings(iterations=100, ls_iterations=50))


@pytest.fixture(scope="module")
def duel_model():
    model = mjx_arena.make("humanoid_duel", CONVERGED).mj_model
    model.opt.tolerance = 1e-12
    return model


@pytest.fixture(scope="module")
def duel_cases(duel_model):
    """`(qpos, qvel, ctrl)` of states that are hard but possible; see `_possible`."""
    rng = np.random.default_rng(0)
    data = mujoco.MjData(duel_model)
    cases = []
    while len(cases) < NUM_STATES:
        qpos, qvel = _random_duel(rng, duel_model, data), rng.normal(0, 1, duel_model.nv)
        ctrl = rng.choice([-1, -0.3, 0.2, 1, 1.7], duel_model.nu)  # most of them saturated, some beyond the range
        if _possible(duel_model, data, qpos):
            cases.append((qpos, qvel, ctrl))
    return [np.array(values, np.float32) for values in zip(*cases, strict=True)]


@pytest.fixture(scope="module", params=ENGINES)
def engine_steps(request, duel_model, duel_cases):
    """`(qpos, qvel)` that the engine makes of the cases."""
    physics = build(request.param, duel_model)

    def step(qpos, qvel, ctrl):
        empty = jnp.zeros(0)
        return physics.step(PhysicsState(qpos, qvel, empty, jnp.zeros_like(qvel), empty), ctrl, 1)

    state = jax.jit(jax.vmap(step))(*duel_cases)
    return np.asarray(state.qpos), np.asarray(state.qvel)


@pytest.fixture(scope="module")
def c_steps(duel_model, duel_cases):
    """`(qpos, qvel, contacts)` of MuJoCo; contacts are `(floor, agents)` for each case."""
    expected, contacts = [], []
    for case in zip(*duel_cases, strict=True):
        data = c_step(duel_model, *case)
        expected.append((data.qpos.copy(), data.qvel.copy()))
        with_floor = (data.contact.geom == duel_model.geom("floor").id).any(1)
        contacts.append((with_floor.sum(), (~with_floor).sum()))
    qpos, qvel = map(np.array, zip(*expected, strict=True))
    return qpos, qvel, np.array(contacts)


def _random_duel(rng, model, data):
    """Two duelists, tilted and bent at random, close to each other, the lowest sole of each about the floor's level."""
    direction, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.8)
    offset = 0.5 * distance * np.array([np.cos(direction), np.sin(direction), 0])
    qpos = np.zeros((2, 11))
    for agent, sign in enumerate((-1, 1)):
        turn, tilt, quat = np.zeros(4), np.zeros(4), np.zeros(4)
        mujoco.mju_axisAngle2Quat(turn, [0, 0, 1], rng.uniform(-np.pi, np.pi))
        mujoco.mju_axisAngle2Quat(tilt, [*rng.normal(0, 1, 2), 0], rng.normal(0, 0.3))
        mujoco.mju_mulQuat(quat, turn, tilt / np.linalg.norm(tilt))
        low, high = _hinge_limits(model)
        hinges = rng.uniform(low - 0.1, high + 0.1) * rng.choice([0.3, 1])  # some beyond their limits
        qpos[agent] = [*(sign * offset), *(quat / np.linalg.norm(quat)), *hinges]
    data.qpos[:] = qpos.reshape(-1)
    mujoco.mj_kinematics(model, data)
    for agent, name in enumerate(("red", "blue")):
        soles = [i for i in range(model.ngeom) if model.geom(i).name.startswith((f"{name}/toe", f"{name}/heel"))]
        qpos[agent, 2] = rng.uniform(-0.02, 0.03) - (data.geom_xpos[soles, 2] - model.geom_size[soles, 0]).min()
    return qpos.reshape(-1)


def _hinge_limits(model):
    """`(low [4], high [4])` of one duelist."""
    return model.jnt_range[model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE][:4].T


def _possible(model, data, qpos):
    """No two capsules of the agents overlap by more than the smaller one's radius.

    MJX adds 1e-6 where it divides by the squared sine between two capsules' axes, so its closest points are off by
    about 1e-6 m, and a contact's normal by that over the distance of the axes: nothing, unless the axes cross.
    """
    data.qpos[:] = qpos
    mujoco.mj_fwdPosition(model, data)
    radii = np.where(model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE, np.inf, model.geom_size[:, 0])
    radius = radii[data.contact.geom].min(1)
    return bool((data.contact.dist > -radius).all())


def test_the_cases_cover_contacts_limits_and_saturation(c_steps, duel_cases, duel_model):
    _, qvel, contacts = c_steps
    assert (contacts[:, 0] > 0).mean() > 0.4, "soles on the floor"
    assert (contacts[:, 1] > 0).mean() > 0.1, "agents touching each other"
    assert (contacts > 0).all(1).sum() > 10, "both at once"
    assert np.abs(qvel - duel_cases[1]).max() > 5, "contacts that change speeds by m/s and rad/s"
    hinges = duel_cases[0].reshape(-1, 2, 11)[:, 0, 7:]
    low, high = _hinge_limits(duel_model)
    assert ((hinges < low) | (hinges > high)).any(0).all(), "every hinge beyond a limit"


def test_positions_agree_with_c_to_1e_4(engine_steps, c_steps):
    assert np.abs(engine_steps[0] - c_steps[0]).max() <= 1e-4


def test_velocities_agree_with_c_to_1e_3_of_the_fastest(engine_steps, c_steps):
    assert relative_error(engine_steps[1], c_steps[1]).max() <= 1e-3


def test_velocities_agree_with_c_to_1e_5_of_the_fastest_in_most_states(engine_steps, c_steps):
    assert np.median(relative_error(engine_steps[1], c_steps[1])) <= 1e-5


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_without_sensors_has_none(duel_model, engine):
    state = build(engine, duel_model).init(jnp.array(duel_model.qpos0, jnp.float32), jnp.zeros(duel_model.nv))
    assert state.sensordata.shape == (0,)
