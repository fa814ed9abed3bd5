"""The physics engines that a test goes over. Warp is slow on a CPU and needs an extra: it is left to `-m slow`."""

import pytest

from mjx_arena.physics.mjx import MjxPhysics
from mjx_arena.physics.native import NativePhysics
from mjx_arena.physics.warp import WarpPhysics

ENGINES = [
    pytest.param(MjxPhysics, id="mjx"),
    pytest.param(NativePhysics, id="native"),
    pytest.param(WarpPhysics, id="warp", marks=pytest.mark.slow),
]


def build(engine, model):
    """The engine over `model`; skips the test where its packages are missing."""
    if engine is WarpPhysics:
        pytest.importorskip("warp")
    return engine(model)
