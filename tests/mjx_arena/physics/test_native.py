"""What is special about the native engine: calls to the host from a jitted program, and divergence without a reset."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

import mjx_arena
from mjx_arena.physics import PhysicsSettings
from mjx_arena.physics.native import NativePhysics

NUM = 6
MODEL = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 1"/>
    <body pos="0 0 0.2"><freejoint/><geom name="box" type="box" size="0.1 0.1 0.1"/></body>
  </worldbody>
</mujoco>
"""


@pytest.fixture(scope="module")
def physics():
    return NativePhysics(mujoco.MjModel.from_xml_string(MODEL), PhysicsSettings(engine="native"))


@pytest.fixture
def start(physics):
    """`NUM` states, each falling at its own speed."""
    qpos = jnp.tile(jnp.array(physics.model.qpos0), (NUM, 1))
    qvel = jnp.zeros((NUM, 6)).at[:, 2].set(-jnp.arange(NUM))
    return jax.vmap(physics.init)(qpos, qvel)


@pytest.fixture
def calls(physics, monkeypatch):
    """Sizes of the batches that reached the host."""
    sizes, advance = [], physics._advance

    def counted(n_substeps, rows, shapes):
        sizes.append(len(rows))
        return advance(n_substeps, rows, shapes)

    monkeypatch.setattr(physics, "_advance", counted)
    return sizes


def _step(physics, state, n_substeps=2, **fields):
    return physics.step(state, jnp.zeros(0), n_substeps, None, fields or None)


def _assert_same(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


def test_one_call_steps_every_arena(physics, start, calls):
    jax.block_until_ready(jax.jit(jax.vmap(lambda s: _step(physics, s)))(start))
    assert calls == [NUM]


def test_one_call_for_each_step_of_a_scan(physics, start, calls):
    def play(state):
        return jax.lax.scan(lambda s, _: (_step(physics, s), None), state, None, length=5)[0]

    jax.block_until_ready(jax.jit(jax.vmap(play))(start))
    assert calls == [NUM] * 5


def test_an_arena_gets_the_same_bits_alone_and_among_others(physics, start):
    together = jax.vmap(lambda s: _step(physics, s))(start)
    alone = [_step(physics, jax.tree.map(lambda x, i=i: x[i], start)) for i in range(NUM)]
    _assert_same(together, jax.tree.map(lambda *xs: jnp.stack(xs), *alone))


def test_nested_maps_step_as_one_batch(physics, start, calls):
    nested = jax.tree.map(lambda x: x.reshape(2, NUM // 2, *x.shape[1:]), start)
    result = jax.vmap(jax.vmap(lambda s: _step(physics, s)))(nested)
    assert calls == [NUM]
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
