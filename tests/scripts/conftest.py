"""Starts `scripts/train.py` as a user does. Starts in one module share a compilation cache."""

import os
import subprocess
import sys

import pytest
from train_runs import ROOT


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    return os.environ | cache | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def start(environment, tmp_path):
    """Starts the script in its own folder; processes that still run at the end of the test are killed."""
    processes = []

    def run(*arguments):
        command = [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def train(start):
    """Runs the script to its end; returns status, stdout and stderr, the latter never with a traceback."""

    def run(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=300)
        assert "Traceback" not in err
        return process.returncode, out, err

    return run
