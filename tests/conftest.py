"""Every test runs on `MJX_ARENA_TEST_DEVICES` virtual CPU devices, one if the variable is not set."""

import copy
import gc
import logging
import os
import signal

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from train_runs import QUICK

from league.commands import app
from mjx_arena import compilation_cache, devices, registry

gc.set_threshold(200_000)  # as commands do: tracing makes many objects, all of them needed
for _name, _value in QUICK.items():
    os.environ.setdefault(_name, _value)
devices.configure(int(os.environ.get("MJX_ARENA_TEST_DEVICES", "1")))

# Tests may run under `nohup` or behind a script's `&`; the processes that they start would inherit what that ignores.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Begins with the tests of whole commands, which take longest: at the end no worker shall wait for another one."""
    items.sort(key=lambda item: "scripts" not in item.path.parts)


@pytest.fixture
def own_games(monkeypatch):
    """Forgets at the end the games that a test has registered."""
    Plugins.instance()  # they are registered once, in what is about to be copied
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(ConfigStore.instance(), "repo", copy.deepcopy(ConfigStore.instance().repo))


@pytest.fixture
def called(monkeypatch, capsys):
    """Runs a command in this process, which takes a tenth of the time; returns its status, stdout and stderr."""

    def run(name, *arguments):
        monkeypatch.setattr("sys.argv", [f"scripts/{name}.py", *arguments])
        for group in ("physics", "task"):  # groups of `train`, and keys of others: a process runs one command
            ConfigStore.instance().repo.pop(group, None)
        monkeypatch.setattr(compilation_cache, "enable", lambda: None)  # it would keep the programs of other tests too
        # Hydra configures logging, which closes all handlers; absl's would close the stream of pytest's capture.
        monkeypatch.setattr(logging, "shutdown", lambda *_: None)
        status = 0
        try:
            app.main(name)
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
