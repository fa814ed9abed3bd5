"""How engines are found, and what is true of each before it is built."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

import mjx_arena
from mjx_arena import physics
from mjx_arena.physics import Engine, PhysicsSettings, engines
from mjx_arena.validation import SettingError

TOY = """
from mjx_arena.physics.engine import Engine
from mjx_arena.physics.mjx import MjxPhysics
from mjx_arena.types import PhysicsState


class Frozen(Engine):
    name = "frozen"
    title = "nothing moves"
    requires = ("json",)

    @classmethod
    def one_device(cls):
        return True

    @classmethod
    def vmap_block_size(cls, settings):
        return settings.block_size // 2

    def init(self, qpos, qvel, fields=None):
        return PhysicsState(qpos, qvel, qpos[:0], 0 * qvel, qpos[:0])

    def step(self, state, ctrl, n_substeps, applied=None, fields=None):
        return state


class Lost(Frozen):
    name = "lost"
    requires = ("json", "no_such_module")
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The package of the engines with a folder more, in which a module stands."""
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(physics, "__path__", [*physics.__path__, str(tmp_path)])
    yield
    sys.modules.pop("mjx_arena.physics.toy", None)


def test_an_engine_is_there_as_soon_as_its_module_is(toy):
    assert set(engines()) >= {"frozen", "lost", "mjx", "native", "warp"}
    settings = PhysicsSettings(engine="frozen", block_size=10)
    settings.validate()
    assert settings.one_device and settings.wanted_block == 5
    arena = mjx_arena.make("humanoid_duel", "frozen")
    state, _ = arena.reset(jax.random.key(0))
    after, _ = arena.step(state, jnp.ones((2, 4)))
    np.testing.assert_array_equal(after.physics.qpos, state.physics.qpos)


def test_an_engine_without_its_module_is_unknown():
    assert set(engines()) >= {"mjx", "native", "warp"} and "frozen" not in engines()
    message = f"physics.engine=frozen: must be one of {', '.join(engines())}"
    with pytest.raises(SettingError, match=message):
        PhysicsSettings(engine="frozen").validate()
    with pytest.raises(SettingError, match=message):
        _ = PhysicsSettings(engine="frozen").one_device


def test_an_engine_whose_packages_are_missing_says_how_to_get_them(toy):
    with pytest.raises(SettingError, match=r"physics.engine=lost: needs the extra: pip install -e '.\[lost\]'"):
        mjx_arena.make("humanoid_duel", "lost")


def test_a_model_that_no_engine_simulates_right_is_refused_by_a_new_one_too(toy):
    model = mujoco.MjModel.from_xml_string("<mujoco><option solver='PGS'/></mujoco>")
    with pytest.raises(ValueError, match="solver PGS"):
        engines()["frozen"](model, PhysicsSettings(engine="frozen"))


@pytest.mark.parametrize(
    ("name", "one_device", "block", "device", "reproducible"),
    [("mjx", False, 7, None, True), ("native", False, None, "cpu", True), ("warp", False, None, "gpu", False)],
)
def test_the_traits_of_the_engines(name, one_device, block, device, reproducible):
    settings = PhysicsSettings(engine=name, block_size=7)
    assert (settings.one_device, settings.wanted_block) == (one_device, block)
    traits = settings.traits
    assert issubclass(traits, Engine) and (traits.device, traits.reproducible) == (device, reproducible)


def test_reading_traits_imports_none_of_the_slow_packages():
    program = "import sys; from mjx_arena.physics import engines; assert len(engines()) >= 3"
    program += "; print(sorted({'mujoco.mjx', 'warp'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
