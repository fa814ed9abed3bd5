"""Starts `scripts/train.py` as a person does. All starts of a test run share a compilation cache."""

import os
import subprocess
import sys

import pytest
from train_runs import ROOT


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # the workers' folders lie beside one another
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    return os.environ | cache | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def start(environment, tmp_path):
    """Starts the script in a folder of its own; whatever still runs at the end of the test is killed."""
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
