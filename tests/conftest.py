"""Every test runs on `MJX_ARENA_TEST_DEVICES` virtual CPU devices, one if the variable is not set."""

import copy
import os
import signal

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from train_runs import QUICK

from mjx_arena import devices, registry

for _name, _value in QUICK.items():
    os.environ.setdefault(_name, _value)
devices.configure(int(os.environ.get("MJX_ARENA_TEST_DEVICES", "1")))

# Tests may have been started under `nohup`, which the processes that they start would inherit.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    """Begins with the tests of whole commands, which take longest: at the end no worker shall wait for another one."""
    items.sort(key=lambda item: "scripts" not in item.path.parts)


@pytest.fixture
def own_games(monkeypatch):
    """Forgets at the end the games that a test has registered."""
    Plugins.instance()  # they are registered once, in what is about to be copied
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(ConfigStore.instance(), "repo", copy.deepcopy(ConfigStore.instance().repo))
