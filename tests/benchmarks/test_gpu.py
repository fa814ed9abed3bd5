"""The table of a GPU, made on a CPU at small size."""

import subprocess
import sys
from pathlib import Path

import gpu
import pytest

FIGURES = {
    "physics_steps_per_second": 1234567.8,
    "arena_steps_per_second": 400000.4,
    "train_arena_steps_per_second": 300000.0,
    "rollout_seconds": 0.1234,
    "update_seconds": 0.05,
    "compile_seconds": 61.4,
    "peak_memory_bytes": 3 * 2**30,
    "machine": {"devices": "1 x card", "system": "Linux", "jax": "1", "mujoco": "2", "mujoco-mjx": "3"},
}


def test_a_row_that_failed_says_why_beside_those_that_did_not():
    rows = gpu.as_rows({("mjx", 1024): FIGURES, ("warp", 32768): {"problem": "out of | memory"}})
    assert rows[1] == ["mjx", "1,024", "1,234,568", "400,000", "300,000", "0.123", "0.050", "61", "3.00"]
    assert rows[2][:3] == ["warp", "32,768", "out of | memory"]
    table = gpu.as_markdown(rows, FIGURES["machine"], "python benchmarks/gpu.py").splitlines()
    assert table[0] == "# The duel on 1 x card"
    assert {line.count("|") for line in table[4:]} == {len(rows[0]) + 1}


@pytest.mark.slow
def test_the_command_measures_what_works_and_reports_what_does_not(tmp_path):
    small = ("--engines", "native", "bullet", "--arenas", "8", "--rounds", "1", "ppo.horizon=4")
    out = tmp_path / "gpu.md"
    command = [sys.executable, gpu.__file__, "--markdown", str(out), *small]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(gpu.__file__).parent.parent)
    assert done.returncode == 0, done.stderr
    native, bullet = out.read_text().splitlines()[-2:]
    assert native.startswith("| native | 8 | ") and "–" not in native
    assert bullet.startswith("| bullet | 8 | ") and "bullet" in bullet.split("|")[3]
