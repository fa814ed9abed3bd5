"""Games by name, those from elsewhere too."""

from dataclasses import dataclass

import pytest

from mjx_arena import SettingError, list_tasks, settings_of, tasks


@dataclass(frozen=True)
class GuestSettings:
    name: str = "guest"


class Guest:
    def __init__(self, settings, physics):
        self.settings, self.physics = settings, physics


@pytest.fixture(autouse=True)
def own_names(monkeypatch):
    monkeypatch.setattr(tasks, "_TASKS", dict(tasks._TASKS))


def test_a_game_from_elsewhere_is_built_by_the_name_of_its_settings():
    tasks.register(GuestSettings, Guest)
    assert "guest" in list_tasks() and settings_of("guest") is GuestSettings
    assert isinstance(tasks.build(GuestSettings(), None), Guest)
    tasks.register(GuestSettings, Guest)  # once more is no error


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(SettingError, match="task=humanoid_duel: another task has this name"):
        tasks.register(lambda: GuestSettings("humanoid_duel"), Guest)


def test_a_name_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(
        SettingError,
        match="task=guest: there is no such task; choose one of ant_battle, ant_sumo, car_soccer, humanoid_duel",
    ):
        settings_of("guest")
