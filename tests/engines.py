"""The physics engines that tests run on. Those that need an extra package run only with `-m slow`."""

import pytest

from mjx_arena.physics import PhysicsSettings, engines

ENGINES = [
    pytest.param(engine, id=name, marks=[pytest.mark.slow] if engine.requires else [])
    for name, engine in engines().items()
]


def build(engine, model):
    """Builds the engine for `model`; skips the test where its packages are missing."""
    for module in engine.requires:
        pytest.importorskip(module)
    return engine(model, PhysicsSettings(engine=engine.name))
