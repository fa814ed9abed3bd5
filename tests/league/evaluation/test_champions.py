"""The champions of the package, held to the figures that `champions.json` gives."""

import importlib
import json

import numpy as np
import pytest

from league.evaluation import champions, sources
from league.evaluation.strength import measure
from league.settings import LeagueSettings
from mjx_arena import registry
from mjx_arena.validation import SettingError

NAMES = list(champions.descriptions())
MATCHES = 200


@pytest.mark.slow  # half a minute for each, four for car soccer
@pytest.mark.parametrize("name", NAMES)
def test_each_self_is_as_strong_as_it_is_said_to_be(name):
    figures = measure(name, MATCHES, seed=7)
    for self, wanted in champions.descriptions()[name]["strength"].items():
        found = figures[self]["score"]
        # Four standard errors of the difference of two measurements; a draw varies less than a win.
        spread = np.sqrt(0.25 if 0.1 < wanted["score"] < 0.9 else 0.09) * np.sqrt(1 / MATCHES + 1 / wanted["matches"])
        assert abs(found - wanted["score"]) < 4 * spread, (self, found, wanted)


@pytest.mark.parametrize("name", NAMES)
def test_a_champion_is_small_and_says_where_it_comes_from(name):
    about = champions.descriptions()[name]
    assert {"command", "commit", "seed", "arena_steps", "minutes", "versions", "strength", "odds"} <= about.keys()
    for self in champions.SELVES:
        source = sources.open_source(f"champion:{name}{'/' if self else ''}{self}")
        assert source.path.stat().st_size <= 300_000
        assert source.settings.task_name == about["task"]["name"]
        assert source.newest().iteration == about["iterations"][self or "champion"]


def test_the_table_of_the_results_is_that_of_the_descriptions():
    table = importlib.import_module("champions")  # of benchmarks/
    assert table.TABLE.read_text(encoding="utf-8") == table.table(champions.descriptions())


def test_the_first_champion_of_a_task_is_called_as_the_task_is():
    for task in {about["task"]["name"] for about in champions.descriptions().values()}:
        assert champions.names(task)[:3] == [f"champion:{task}{self}" for self in ("", "/third", "/tenth")]
        assert task in registry.list_tasks()


def test_every_task_has_one():
    assert {about["task"]["name"] for about in champions.descriptions().values()} == set(registry.list_tasks())


def test_a_champion_stands_where_a_run_may():
    source = sources.open_source("champion:humanoid_duel", engine="native")
    policy, league = source.policy, LeagueSettings(anchors=("champion:humanoid_duel/tenth",))
    (member, is_anchor), *_ = sources.foreign_members(league, policy, "humanoid_duel")
    assert is_anchor and np.array_equal(member.params["log_std"], source.at_fraction(0.1).state.params["log_std"])
    ladder = source.sample_checkpoints(16)
    assert [each.iteration for each in ladder] == [
        0,
        *sorted(champions.descriptions()["humanoid_duel"]["iterations"].values()),
    ]
    assert source.newest().source == "champion:humanoid_duel"


@pytest.mark.parametrize("name", ["champion:", "champion:nobody", "champion:humanoid_duel/half"])
def test_unknown_champions_are_refused_with_those_there_are(name):
    with pytest.raises(SettingError, match="champion"):
        sources.open_source(name)
    with pytest.raises(SettingError, match="checkpoint"):
        sources.open_source("champion:humanoid_duel", step=3)


def test_the_description_is_plain_data():
    text = (champions.FOLDER / "champions.json").read_text(encoding="utf-8")
    assert json.loads(text) == champions.descriptions()
