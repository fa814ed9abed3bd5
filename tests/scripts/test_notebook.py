"""The notebook, run from its first cell to its last in a small size."""

import os
import shutil

import mujoco
import nbclient
import nbformat
import pytest
from train_runs import ALONE, ROOT, TINY, rows_of

from mjx_arena.render import RenderError, render

NOTEBOOK = ROOT / "examples" / "first_match.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def tagged(notebook, tag):
    [cell] = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]
    return cell


def test_it_lies_in_the_repository_without_outputs(notebook):
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert codes and not any(cell.outputs or cell.execution_count for cell in codes)


@pytest.mark.slow
def test_it_runs_from_the_first_cell_to_the_last(notebook, environment, tmp_path):
    examples = tmp_path / "examples"
    examples.mkdir()
    for name in ("ball_sumo.py", "ball_sumo.yaml"):
        shutil.copy(ROOT / "examples" / name, examples)
    # The program of other tests, and as many devices, so that it is compiled once for all of them.
    size = [*TINY, ALONE, "iterations=2", "checkpoint_interval=1"]
    tagged(notebook, "size").source = f"size, matches = {size}, 4"
    tagged(notebook, "devices").source += f"\ndevices.configure({os.environ.get('MJX_ARENA_TEST_DEVICES', '1')})"
    ball = mujoco.MjModel.from_xml_string("<mujoco><worldbody><body><geom size='1'/></body></worldbody></mujoco>")
    try:
        next(render(ball, [ball.qpos0], 32, 32))
    except RenderError:
        notebook.cells.remove(tagged(notebook, "film"))

    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(examples)}})
    client.execute(env=environment)
    [run] = tmp_path.glob("runs/ball_sumo/*")
    assert len(rows_of(run)) == 2 and (run / "evaluation" / "ladder.json").is_file()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not any("Warning" in str(output) for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
