"""What is special about the Warp engine: buffers of a fixed size. Minutes on a CPU, and the extra `warp` is needed."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import mujoco
import pytest

import mjx_arena
from mjx_arena.check import check_arena
from mjx_arena.physics import PhysicsSettings
from mjx_arena.physics.warp import WarpPhysics
from mjx_arena.validation import SettingError

NUM = 4
BALLS = """
<mujoco>
  <worldbody>
    <geom type="plane" size="5 5 1"/>
    <body pos="0 0 0.09"><freejoint/><geom size="0.1"/></body>
    <body pos="1 0 0.09"><freejoint/><geom size="0.1"/></body>
  </worldbody>
</mujoco>
"""


@pytest.fixture(scope="module")
def balls():
    """Two balls on the floor: two contacts of four rows each."""
    return mujoco.MjModel.from_xml_string(BALLS)


def _settle(model, **room):
    physics = WarpPhysics(model, PhysicsSettings(engine="warp", **room))

    def fall(qvel):
        state = physics.init(jnp.array(model.qpos0, jnp.float32), qvel)
        return physics.step(state, jnp.zeros(0), 3).qpos

    return jax.block_until_ready(jax.jit(jax.vmap(fall))(jnp.zeros((NUM, model.nv))))


@pytest.mark.slow
@pytest.mark.parametrize("room", [{"max_contacts": 1}, {"max_constraints": 7}], ids=str)
def test_a_buffer_that_is_too_small_ends_the_program_with_its_name(balls, room):
    pytest.importorskip("warp")
    [(name, size)] = room.items()
    with pytest.raises(Exception, match=f"physics.{name}={size}.* too small"):
        _settle(balls, **room)
        jax.effects_barrier()


@pytest.mark.slow
def test_buffers_that_just_suffice_give_what_larger_ones_give(balls):
    pytest.importorskip("warp")
    tight, wide = _settle(balls, max_contacts=3, max_constraints=8), _settle(balls)
    assert jnp.abs(tight - wide).max() < 1e-6
    assert (tight[:, [2, 9]] > 0.09).all(), "the floor pushes"


@pytest.mark.slow
def test_the_duel_passes_the_check_of_arenas():
    pytest.importorskip("warp")
    check_arena(mjx_arena.make("humanoid_duel", PhysicsSettings(engine="warp")), num_arenas=4, num_steps=20)


@pytest.mark.slow
def test_nothing_is_printed_to_stdout():
    pytest.importorskip("warp")
    program = "import mjx_arena; from mjx_arena.physics import PhysicsSettings as S"
    program += "; mjx_arena.make('humanoid_duel', S(engine='warp'))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b""


def test_without_the_extra_one_line_says_what_is_missing(balls, monkeypatch):
    monkeypatch.setitem(sys.modules, "warp", None)
    with pytest.raises(SettingError, match=r"physics.engine=warp: needs the extra: pip install -e '.\[warp\]'"):
        WarpPhysics(balls, PhysicsSettings(engine="warp"))
