"""What is special about the native engine: one call from a jitted program, by its library or by way of Python.

Also: divergence without a reset, and what happens where the library cannot be built.
"""

import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from mujoco.batch import MODEL_FIELDS, Batch

import mjx_arena
from mjx_arena.physics import PhysicsSettings, native_library
from mjx_arena.physics.native import NativePhysics
from mjx_arena.physics.native_callback import CallbackStep
from mjx_arena.physics.native_library import LibraryStep

NUM = 6
HAS_LIBRARY = not isinstance(native_library.load(), str)
WITH_LIBRARY = pytest.mark.skipif(not HAS_LIBRARY, reason="there is no C++ compiler to build the library")
OUTPUT = {"check": True, "stdout": subprocess.PIPE, "text": True}
MODEL = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 1"/>
    <body pos="0 0 0.2"><freejoint/><geom name="box" type="box" size="0.1 0.1 0.1"/></body>
  </worldbody>
</mujoco>
"""


def _native(model, way):
    with pytest.MonkeyPatch.context() as patch:
        if way is CallbackStep:
            patch.setattr(native_library, "load", lambda: "not wanted")
        physics = NativePhysics(model, PhysicsSettings(engine="native"))
    assert isinstance(physics._advance, way)
    return physics


@pytest.fixture(scope="module", params=[pytest.param(LibraryStep, marks=WITH_LIBRARY), CallbackStep])
def physics(request):
    return _native(mujoco.MjModel.from_xml_string(MODEL), request.param)


@pytest.fixture
def start(physics):
    """`NUM` states, each falling at its own speed."""
    qpos = jnp.tile(jnp.array(physics.model.qpos0), (NUM, 1))
    qvel = jnp.zeros((NUM, 6)).at[:, 2].set(-jnp.arange(NUM))
    return jax.vmap(physics.init)(qpos, qvel)


@pytest.fixture
def calls(monkeypatch):
    """Sizes of the batches that reached the host by way of Python."""
    sizes, advance = [], CallbackStep._advance

    def counted(self, n_substeps, rows, shapes):
        sizes.append(len(rows))
        return advance(self, n_substeps, rows, shapes)

    monkeypatch.setattr(CallbackStep, "_advance", counted)
    return sizes


def _step(physics, state, n_substeps=2, **fields):
    return physics.step(state, jnp.zeros(0), n_substeps, None, fields or None)


def _assert_same(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


def test_one_call_steps_every_arena(physics, start, calls):
    step = jax.jit(jax.vmap(lambda s: _step(physics, s)))
    jax.block_until_ready(step(start))
    if isinstance(physics._advance, CallbackStep):
        assert calls == [NUM]
    else:
        assert step.lower(start).as_text().count(f"@{native_library.TARGET}(") == 1


def test_one_call_for_each_step_of_a_scan(start, calls):
    physics = _native(mujoco.MjModel.from_xml_string(MODEL), CallbackStep)

    def play(state):
        return jax.lax.scan(lambda s, _: (_step(physics, s), None), state, None, length=5)[0]

    jax.block_until_ready(jax.jit(jax.vmap(play))(start))
    assert calls == [NUM] * 5


def test_an_arena_gets_the_same_bits_alone_and_among_others(physics, start):
    together = jax.vmap(lambda s: _step(physics, s))(start)
    alone = [_step(physics, jax.tree.map(lambda x, i=i: x[i], start)) for i in range(NUM)]
    _assert_same(together, jax.tree.map(lambda *xs: jnp.stack(xs), *alone))


def test_nested_maps_step_as_one_batch(physics, start):
    nested = jax.tree.map(lambda x: x.reshape(2, NUM // 2, *x.shape[1:]), start)
    result = jax.vmap(jax.vmap(lambda s: _step(physics, s)))(nested)
    flat = jax.tree.map(lambda x: x.reshape(NUM, *x.shape[2:]), result)
    _assert_same(flat, jax.vmap(lambda s: _step(physics, s))(start))


def test_a_field_may_be_the_same_for_all_or_differ_by_arena(physics, start):
    friction = jnp.array(physics.model.geom_friction, jnp.float32)
    same = jax.vmap(lambda s: _step(physics, s, geom_friction=friction))(start)
    each = jax.vmap(lambda s, f: _step(physics, s, geom_friction=f))(start, jnp.tile(friction, (NUM, 1, 1)))
    _assert_same(same, each)
    _assert_same(same, jax.vmap(lambda s: _step(physics, s))(start))


def test_nothing_is_remembered_from_call_to_call(physics, start):
    step = jax.jit(jax.vmap(lambda s: _step(physics, s)))
    first = step(start)
    step(start.replace(qvel=start.qvel.at[:].set(np.nan)))
    step(start.replace(warmstart=start.warmstart + 1, qpos=start.qpos + 0.01))
    _assert_same(step(start), first)


@pytest.mark.parametrize("field", ["qpos", "qvel", "warmstart"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_arena_that_is_not_finite_comes_back_as_nan_alone(physics, start, field, value):
    broken = start.replace(**{field: getattr(start, field).at[3, 0].set(value)})
    state = jax.vmap(lambda s: _step(physics, s))(broken)
    assert np.isnan(state.qpos[3]).all() and np.isnan(state.qvel[3]).all()
    others = np.delete(np.arange(NUM), 3)
    expected = jax.vmap(lambda s: _step(physics, s))(start)
    _assert_same(jax.tree.map(lambda x: x[others], state), jax.tree.map(lambda x: x[others], expected))


def test_divergence_is_nan_instead_of_the_model_s_defaults_and_says_nothing(
    physics, start, capfd, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    state = jax.vmap(lambda s: _step(physics, s))(start.replace(qvel=start.qvel.at[1, 0].set(1e12)))
    assert np.isnan(state.qpos[1]).all()
    assert np.isfinite(np.delete(state.qpos, 1, 0)).all()
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_the_duel_passes_the_public_check():
    mjx_arena.check_arena(mjx_arena.make("humanoid_duel", "native"))


FIELDS = {
    "geom_friction": jnp.array([[[1.0, 0.005, 0.0001], [mu, 0.005, 0.0001]] for mu in np.linspace(0.2, 2, NUM)]),
    "opt.gravity": jnp.array([[0, 0, -g] for g in np.linspace(1, 20, NUM)]),
    "geom_contype": jnp.array([[1, i % 2] for i in range(NUM)]),
    "geom_rgba": jnp.ones((NUM, 2, 4)),
    "jnt_limited": jnp.zeros((NUM, 1)),
    "opt.iterations": jnp.arange(1, NUM + 1),
    "opt.timestep": jnp.linspace(0.001, 0.02, NUM),
}


@WITH_LIBRARY
@pytest.mark.parametrize("name", FIELDS)
def test_both_ways_take_fields_of_every_type(name, start):
    model = mujoco.MjModel.from_xml_string(MODEL)

    def play(way):
        physics = _native(model, way)
        return jax.vmap(lambda s, value: _step(physics, s, 60, **{name: value}))(start, FIELDS[name])

    _assert_same(play(LibraryStep), play(CallbackStep))


@WITH_LIBRARY
@pytest.mark.parametrize("task", ["humanoid_duel", "humanoid_pose"])
def test_both_ways_give_the_same_bits(task):
    arena = mjx_arena.make(task, "native")
    model = arena.physics._advance._model  # one of the two has sensors
    state = jax.vmap(arena.reset)(jax.random.split(jax.random.key(0), 8))[0].physics
    ways = [_native(model, way) for way in (LibraryStep, CallbackStep)]
    steps = [jax.jit(jax.vmap(lambda s, c, a, p=physics: p.step(s, c, 2, a))) for physics in ways]
    for key in jax.random.split(jax.random.key(1), 50):
        controls, pushes = jax.random.uniform(key, (8, model.nu), minval=-1), jax.random.normal(key, (8, model.nv))
        one, other = (step(state, controls, pushes) for step in steps)
        _assert_same(one, other)
        state = one


def test_a_program_that_is_not_for_cpus_goes_by_way_of_python(start, monkeypatch, calls):
    physics = NativePhysics(mujoco.MjModel.from_xml_string(MODEL), PhysicsSettings(engine="native"))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    jax.block_until_ready(jax.vmap(lambda s: _step(physics, s))(start))
    assert calls == [NUM]


@WITH_LIBRARY
@pytest.mark.parametrize("way", [LibraryStep, CallbackStep])
def test_a_model_without_joints_steps_too(way):
    still = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
    physics = _native(still, way)
    state = jax.vmap(lambda x: _step(physics, physics.init(x, x)))(jnp.zeros((3, 0)))
    assert state.qpos.shape == (3, 0)


def test_every_type_that_a_field_of_a_model_may_have_is_known():
    one = Batch(mujoco.MjModel.from_xml_string(MODEL), 1, 1)
    kinds = {one.expand(name).dtype.char for name in MODEL_FIELDS}
    assert kinds == set(re.findall(r"case '(.)'", native_library._SOURCE.read_text()))


def test_equal_models_have_equal_numbers_and_others_do_not():
    numbers = [
        native_library.number_of(mujoco.MjModel.from_xml_string(xml))
        for xml in (MODEL, MODEL, MODEL.replace("0.01", "0.02"))
    ]
    assert numbers[0] == numbers[1] != numbers[2]


def test_a_model_s_number_is_the_same_in_every_process():
    program = (
        "import mjx_arena; from mjx_arena.physics.native_library import number_of;"
        "print(number_of(mjx_arena.make('humanoid_pose', 'native').mj_model))"
    )
    numbers = {subprocess.run([sys.executable, "-c", program], **OUTPUT).stdout for _ in range(2)}
    assert len(numbers) == 1 and numbers.pop().strip().isdigit()


@pytest.mark.parametrize(
    "compiler, reason",
    [("false", "false failed"), ("c++ --no-such-flag", "no-such-flag"), ("no-such-compiler", "there is no C")],
)
def test_without_a_library_the_engine_says_why_and_goes_by_way_of_python(compiler, reason, tmp_path):
    program = (
        "from mjx_arena.physics.native import NativePhysics; import mjx_arena;"
        "print(NativePhysics.notice(), type(mjx_arena.make('qwop', 'native').physics._advance).__name__)"
    )
    environment = os.environ | {"CXX": compiler, "XDG_CACHE_HOME": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", program], env=environment, **OUTPUT).stdout
    assert reason in said and said.strip().endswith("CallbackStep")


@pytest.mark.slow
@WITH_LIBRARY
def test_processes_that_build_at_once_all_get_the_library(tmp_path):
    program = "from mjx_arena.physics import native_library; print(native_library.load())"
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert all("CDLL" in process.communicate()[0] for process in started)
    assert [path.suffix for path in (tmp_path / "mjx-arena").iterdir()] == [".so"]
