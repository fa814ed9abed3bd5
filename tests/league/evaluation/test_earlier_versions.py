"""What version 0.1 wrote is read as it was: run folders and exported policies of every task, and a run goes on.

`data/version_0_1/expected.json` says which commands made the folders, and holds the numbers of that version's own code.
"""

import json
import os
import shutil
import subprocess
import sys
from functools import reduce

import jax.numpy as jnp
import numpy as np
import pytest
from train_runs import QUICK, ROOT, finished_steps, rows_of

from league.evaluation.sources import open_source

DATA = ROOT / "tests" / "data" / "version_0_1"
EXPECTED = json.loads((DATA / "expected.json").read_text())["tasks"]
FAST = ("qwop",)  # the others take longer to compile


def assert_settings(settings, expected):
    for key, value in expected.items():
        found = reduce(getattr, key.split("."), settings)
        assert found == (tuple(value) if isinstance(value, list) else value), key


@pytest.mark.parametrize("form", ["run", "file"])
@pytest.mark.parametrize("task", EXPECTED)
def test_a_policy_acts_as_it_did(task, form):
    expected = EXPECTED[task]
    source = open_source(DATA / task if form == "run" else DATA / task / "policy.npz")
    assert source.settings.task_name == task
    assert_settings(source.settings.task, expected["task settings"])
    if form == "run":
        assert_settings(source.settings, expected["run settings"])
    newest, numbers = source.newest(), expected["newest"]
    if form == "run":
        assert source.settings.ppo.optimizer == "adam" and source.settings.ppo.bound_coefficient == 0
    assert all(getattr(newest, key) == numbers[key] for key in ("role", "iteration", "arena_steps"))
    observation = jnp.sin(jnp.arange(source.arena.observation_size))
    distribution, value = newest.policy.apply(newest.state, observation)
    action = distribution.mode()
    np.testing.assert_allclose(action, numbers["action"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(distribution.log_prob(action), numbers["log_prob"], rtol=1e-6)
    np.testing.assert_allclose(value, numbers["value"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "task", [task if task in FAST else pytest.param(task, marks=pytest.mark.slow) for task in EXPECTED]
)
def test_a_run_goes_on(task, tmp_path):
    run = shutil.copytree(DATA / task, tmp_path / task)
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), f"resume={run}", "iterations=3"]
    environment = os.environ | QUICK | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*command, "compilation_cache=false"], cwd=tmp_path, env=environment, check=True, timeout=300)
    assert finished_steps(run) == [2, 3]
    before, rows = rows_of(DATA / task), rows_of(run)
    assert rows[:2] == before and len(rows) == 3 and rows[2].keys() >= before[1].keys()
    for key, value in EXPECTED[task]["third row"].items():
        if key == "learning_rate":  # it changed with each minibatch then
            continue
        assert rows[2][key] == pytest.approx(value, rel=1e-3), key
