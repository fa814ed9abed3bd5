"""The physics engines that a test goes over. Those that need an extra are left to `-m slow`."""

import pytest

from mjx_arena.physics import PhysicsSettings, engines

ENGINES = [
    pytest.param(engine, id=name, marks=[pytest.mark.slow] if engine.requires else [])
    for name, engine in engines().items()
]


def build(engine, model):
    """The engine over `model`; skips the test where its packages are missing."""
    for module in engine.requires:
        pytest.importorskip(module)
    return engine(model, PhysicsSettings(engine=engine.name))
