import pytest

from league.evaluation.pairings import Pairing, load_ladder, load_pairings
from mjx_arena import PhysicsSettings, SettingError, registry, replace_nested

GAMES = ("humanoid_duel", "ant_sumo", "ant_battle", "humanoid_pose", "qwop", "car_soccer")


def test_a_game_without_pairings_of_its_own_has_some(monkeypatch):
    alone = load_pairings("qwop", num_agents=1)
    assert list(alone) == ["run", "shifted"] and alone["run"] == Pairing("self")
    assert list(load_pairings("ant_sumo", num_agents=2)) == ["untrained", "quarter", "mirror", "shifted"]
    monkeypatch.setattr(registry.arena_type("ant_sumo"), "randomizable", ("delay", "push"))
    assert load_pairings("ant_sumo", num_agents=2)["shifted"].task == {"randomize": {"delay": (1, 1)}}
    monkeypatch.setattr(registry.arena_type("ant_sumo"), "randomizable", ())
    assert "shifted" not in load_pairings("ant_sumo", num_agents=2)


def test_every_game_has_a_pairing_in_another_world():
    for game in GAMES:
        settings = registry.settings_type(game)()
        shifted = load_pairings(game, settings.num_agents, ("shifted",))["shifted"]
        assert registry.build(replace_nested(settings, shifted.task, "task"), PhysicsSettings("native"))


def test_pairings_of_a_file_have_typed_values_and_its_ladder_is_none_of_them():
    pairings = load_pairings("humanoid_duel", num_agents=2)
    assert "ladder" not in pairings and load_ladder("humanoid_duel") == {"drill_share": 0, "shadow_share": 0}
    replayed = pairings["mirror_replayed"]
    assert replayed.physics.engine == "native" and replayed.physics.model.iterations == 100
    assert pairings["balance"].task["drill_kick"] == (0.5, 0.5) and pairings["tenth"].opponent == 0.1


def test_an_unknown_pairing_is_refused_with_those_that_there_are():
    with pytest.raises(SettingError, match="pairings=duel: choose from untrained, quarter, mirror, shifted"):
        load_pairings("ant_sumo", 2, ("duel",))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{opponent: self, engine: mjx}", "engine=mjx: there is no such key"),
        ("{opponent: self, physics: {model: {iterations: many}}}", "physics.model.iterations=many: must be a whole"),
        ("{task: {}}", "opponent"),
    ],
)
def test_a_bad_entry_is_named(tmp_path, monkeypatch, entry, message):
    (tmp_path / "mine.yaml").write_text(f"evaluation: {{odd: {entry}}}")
    monkeypatch.setattr(registry, "source_file", lambda task: tmp_path / "mine.py")
    with pytest.raises(SettingError, match=f"evaluation of mine=odd: .*{message}"):
        load_pairings("mine", 2)
