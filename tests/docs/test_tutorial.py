"""What the tutorial's reader types."""

import re

import pytest
from train_runs import ALONE, ROOT, TINY, rows_of

import league
import mjx_arena
from mjx_arena import registry

pytestmark = pytest.mark.usefixtures("own_games")
PAGE = ROOT / "docs" / "your_own_game.md"


@pytest.fixture(scope="module")
def game_file(tmp_path_factory):
    """The blocks of the page, one after the other in a file."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    path = tmp_path_factory.mktemp("tutorial") / "air_hockey.py"
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def test_its_game_keeps_the_contract(game_file):
    assert registry.register_file(game_file) == "air_hockey"
    mjx_arena.check_arena(mjx_arena.make("air_hockey", "native"), num_steps=8)


@pytest.mark.slow
def test_its_game_trains(game_file, tmp_path):
    task = registry.register_file(game_file)
    given = (*TINY, ALONE, "league.mirror_fraction=1", "logger.render_interval=null", "compilation_cache=false")
    own = (f"task={task}", "physics=native", "iterations=2", f"run_dir={tmp_path / 'run'}")
    result = league.train(league.compose([*given, *own]))
    assert result.exit_status == 0 and [row["iteration"] for row in rows_of(result.folder)] == [1, 2]
