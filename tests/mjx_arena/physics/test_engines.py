"""Every engine against plain loops over MuJoCo's C engine, the oracle: same state, same controls, same step."""

import copy
import subprocess
import sys

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from c_engine import c_step, relative_error
from engines import ENGINES, build

import mjx_arena
from mjx_arena.physics import ModelSettings, PhysicsSettings
from mjx_arena.validation import SettingError

NUM_RIGS = 16
SUBSTEPS = 3
CHOSEN_FIELDS = ("geom_friction", "jnt_range", "body_mass")
DERIVED_FROM_MASS = ("body_subtreemass", "body_invweight0", "dof_invweight0", "dof_M0")  # by mj_setConst
FIELDS = (*CHOSEN_FIELDS, *DERIVED_FROM_MASS)
# A sliding ball (friction), a limited arm with a motor that lags (activation), a ball joint, and sensors on all.
RIG = """
<mujoco>
  <asset><material name="any"/></asset>
  <option timestep="0.005" iterations="100" ls_iterations="50" tolerance="1e-12"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 1" friction="0.1" material="any"/>
    <body name="ball" pos="0 0 0.1"><freejoint/>
      <geom name="ball" size="0.1" mass="1" friction="0.1"/><site name="ball" pos="0.02 0.01 0.03" euler="20 30 40"/>
    </body>
    <body name="upper" pos="3 0 2"><joint name="shoulder" axis="0 1 0" limited="true" range="-60 60" damping="0.1"/>
      <geom name="upper" type="capsule" fromto="0 0 0 0.3 0 0" size="0.03" mass="1" contype="0" conaffinity="0"/>
      <body name="lower" pos="0.3 0 0"><joint name="wrist" type="ball"/>
        <geom name="lower" type="capsule" fromto="0 0 0 0.2 0.1 0" size="0.02" mass="0.5" contype="0" conaffinity="0"/>
        <site name="hand" pos="0.2 0.1 0" euler="10 0 50"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <general joint="shoulder" dyntype="filter" dynprm="0.03" gainprm="3" ctrllimited="true" ctrlrange="-1 1"/>
  </actuator>
  <sensor>
    <jointpos joint="shoulder"/> <jointvel joint="shoulder"/> <ballquat joint="wrist"/> <ballangvel joint="wrist"/>
    <framepos objtype="site" objname="hand" reftype="body" refname="ball"/>
    <framequat objtype="body" objname="lower"/> <framexaxis objtype="geom" objname="lower"/>
    <framelinvel objtype="site" objname="hand" reftype="xbody" refname="ball"/>
    <frameangvel objtype="xbody" objname="lower" cutoff="2"/>
    <velocimeter site="hand"/> <gyro site="ball"/> <magnetometer site="hand"/> <rangefinder site="ball"/>
    <subtreecom body="upper"/> <subtreelinvel body="upper"/> <subtreeangmom body="upper"/>
  </sensor>
</mujoco>
"""


@pytest.fixture(scope="module")
def rig():
    return mujoco.MjModel.from_xml_string(RIG)


@pytest.fixture(scope="module", params=ENGINES)
def rig_physics(rig, request):
    return build(request.param, rig)


@pytest.fixture(scope="module")
def rig_cases(rig):
    """Many rigs, each with its own state, controls of two steps, forces, friction, masses and joint range."""
    rng = np.random.default_rng(1)
    qpos = np.tile(rig.qpos0, (NUM_RIGS, 1))
    qpos[:, 2] -= 0.001
    qpos[:, 3:7], qpos[:, 8:12] = _random_quaternions(rng, NUM_RIGS), _random_quaternions(rng, NUM_RIGS)
    qpos[:, 7] = rng.uniform(-1.2, 1.2, NUM_RIGS)  # the shoulder, often beyond its range
    cases = {
        "qpos": qpos,
        "qvel": rng.normal(0, 1, (NUM_RIGS, rig.nv)) * np.where(np.arange(rig.nv) == 2, 0.1, 1),
        "ctrl": rng.choice([-2, -0.5, 1, 3], (NUM_RIGS, 2, rig.nu)),
        "applied": rng.normal(0, 2, (NUM_RIGS, rig.nv)) * (np.arange(NUM_RIGS) % 2)[:, None],
        "geom_friction": rig.geom_friction * rng.uniform(0.1, 10, (NUM_RIGS, 1, 1)),
        "jnt_range": rig.jnt_range * rng.uniform(0.2, 1, (NUM_RIGS, 1, 1)),
        "body_mass": rig.body_mass * rng.uniform(0.5, 2, (NUM_RIGS, rig.nbody)),
    }
    heavier = [_with_fields(rig, {"body_mass": mass}) for mass in cases["body_mass"]]
    cases |= {name: np.array([getattr(model, name) for model in heavier]) for name in DERIVED_FROM_MASS}
    return {name: value.astype(np.float32) for name, value in cases.items()}


@pytest.fixture(scope="module")
def rig_steps(rig_physics, rig_cases):
    """The engine's states after `init` and after each of two calls of `step` `[rig, moment, ...]`."""

    def play(case):
        fields = {name: case[name] for name in FIELDS}
        state = rig_physics.init(case["qpos"], case["qvel"], fields)

        def step(state, ctrl):
            state = rig_physics.step(state, ctrl, SUBSTEPS, case["applied"], fields)
            return state, state

        _, later = jax.lax.scan(step, state, case["ctrl"])
        return jax.tree.map(lambda one, more: jnp.concatenate([one[None], more]), state, later)

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(play))(rig_cases))


def _random_quaternions(rng, num):
    quat = rng.normal(0, 1, (num, 4))
    return quat / np.linalg.norm(quat, axis=1, keepdims=True)


def _with_fields(model, fields):
    model = copy.deepcopy(model)
    for name, value in fields.items():
        getattr(model, name)[:] = value
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def _c_rigs(model, cases, without=None):
    """`MjData` of every case after both steps; `without` names a field or `applied` to leave as the model has it."""
    found = []
    for index in range(NUM_RIGS):
        fields = {name: cases[name][index] for name in CHOSEN_FIELDS if name != without}
        changed = _with_fields(model, fields)
        start = cases["qpos"][index], cases["qvel"][index], cases["ctrl"][index, 0]
        data = c_step(changed, *start, SUBSTEPS, None if without == "applied" else cases["applied"][index])
        data.ctrl[:] = cases["ctrl"][index, 1]
        mujoco.mj_step(changed, data, SUBSTEPS)
        found.append(data)
    return found


@pytest.fixture(scope="module")
def rig_expected(rig, rig_cases):
    return _c_rigs(rig, rig_cases)


def test_substeps_forces_and_fields_of_each_arena_act_as_in_c(rig_steps, rig_expected):
    assert np.abs(rig_steps.qpos[:, -1] - [data.qpos for data in rig_expected]).max() <= 1e-4
    assert relative_error(rig_steps.qvel[:, -1], np.array([data.qvel for data in rig_expected])).max() <= 1e-3


@pytest.mark.parametrize("name", [*CHOSEN_FIELDS, "applied"])
def test_each_field_and_force_makes_a_difference(rig, rig_cases, rig_steps, name):
    """Otherwise the agreement with C would show nothing."""
    without = np.array([data.qvel for data in _c_rigs(rig, rig_cases, without=name)])
    assert (relative_error(rig_steps.qvel[:, -1], without) > 1e-2).sum() >= 4


def test_activations_are_carried_as_in_c(rig_steps, rig_expected):
    np.testing.assert_allclose(rig_steps.act[:, -1], [data.act for data in rig_expected], atol=1e-5)
    assert np.abs(rig_steps.act[:, -1]).max() > 0.3


def test_the_warm_start_is_the_last_acceleration(rig_steps, rig_expected):
    expected = np.array([data.qacc_warmstart for data in rig_expected])
    assert relative_error(rig_steps.warmstart[:, -1], expected).max() <= 1e-2


@pytest.mark.parametrize("moment", [0, -1], ids=["after init", "after step"])
def test_sensors_belong_to_the_state_that_they_come_with(rig, rig_cases, rig_steps, moment):
    found = rig_steps.sensordata[:, moment]
    expected = []
    for index, (qpos, qvel) in enumerate(zip(rig_steps.qpos[:, moment], rig_steps.qvel[:, moment], strict=True)):
        model = _with_fields(rig, {name: rig_cases[name][index] for name in CHOSEN_FIELDS})
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:] = qpos, qvel
        mujoco.mj_forward(model, data)
        expected.append(data.sensordata)
    for index in range(rig.nsensor):
        part = slice(rig.sensor_adr[index], rig.sensor_adr[index] + rig.sensor_dim[index])
        name = mujoco.mjtSensor(rig.sensor_type[index]).name
        np.testing.assert_allclose(found[:, part], np.array(expected)[:, part], atol=1e-4, rtol=1e-4, err_msg=name)


def test_a_field_that_does_not_exist_is_refused(rig_physics, rig):
    with pytest.raises(TypeError, match="no_such_field"):
        rig_physics.init(jnp.array(rig.qpos0), jnp.zeros(rig.nv), {"no_such_field": jnp.zeros(3)})


def test_settings_lie_over_the_options_that_the_task_chose():
    chosen = mjx_arena.make("humanoid_duel").mj_model.opt
    changed = mjx_arena.make("humanoid_duel", PhysicsSettings(model=ModelSettings(iterations=7))).mj_model.opt
    assert changed.iterations == 7 != chosen.iterations
    assert (changed.timestep, changed.ls_iterations) == (chosen.timestep, chosen.ls_iterations)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (PhysicsSettings(engine="bullet"), "physics.engine=bullet"),
        (PhysicsSettings(block_size=0), "physics.block_size=0"),
        (PhysicsSettings(max_contacts=0), "physics.max_contacts=0"),
        (PhysicsSettings(max_constraints=-1), "physics.max_constraints=-1"),
        (PhysicsSettings(model=ModelSettings(iterations=0)), "physics.model.iterations=0"),
        (PhysicsSettings(model=ModelSettings(timestep=-0.01)), "physics.model.timestep=-0.01"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(settings, key):
    with pytest.raises(SettingError, match=key):
        settings.validate()


def test_loading_mjx_prints_nothing_to_stdout():
    program = "from mjx_arena.physics.mjx import load_mjx; assert load_mjx().put_model"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b""
