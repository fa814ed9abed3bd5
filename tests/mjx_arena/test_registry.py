"""Games by name: those of the package, and those from elsewhere."""

import importlib.metadata
from dataclasses import dataclass

import pytest

from mjx_arena import Arena, PhysicsSettings, SettingError, TaskSettings, list_tasks, make, registry, settings_type

OWN = ("ant_battle", "ant_sumo", "car_soccer", "humanoid_duel", "humanoid_pose", "qwop")


@dataclass(frozen=True)
class GuestSettings(TaskSettings):
    name: str = "guest"
    size: float = 1.0


class Guest(Arena):
    settings_type = GuestSettings

    def reset(self, key, phase=None): ...

    def step(self, state, action): ...


@pytest.fixture(autouse=True)
def own_names(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    yield
    registry._entry_points.cache_clear()


def test_a_folder_is_a_game():
    assert list_tasks() == OWN
    for name in OWN:
        assert settings_type(name)().name == name


def test_a_game_from_elsewhere_is_built_by_the_name_of_its_settings():
    registry.register(Guest)
    assert "guest" in list_tasks() and settings_type("guest") is GuestSettings
    assert isinstance(make("guest", size=2.0), Guest)
    registry.register(Guest)  # once more is no error


def test_an_installed_package_offers_a_game_by_an_entry_point(monkeypatch):
    point = importlib.metadata.EntryPoint("guest", f"{__name__}:Guest", registry._GROUP)
    monkeypatch.setattr(type(point), "load", lambda self: Guest)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == registry._GROUP else [])
    registry._entry_points.cache_clear()
    assert "guest" in list_tasks() and isinstance(make("guest"), Guest)


def test_a_name_that_is_taken_is_refused():
    @dataclass(frozen=True)
    class Taken(TaskSettings):
        name: str = "humanoid_duel"

    class Usurper(Guest):
        settings_type = Taken

    with pytest.raises(SettingError, match="task=humanoid_duel: another task has this name"):
        registry.register(Usurper)


def test_a_name_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(SettingError, match=f"task=guest: there is no such task; choose one of {', '.join(OWN)}"):
        settings_type("guest")


GAME = """
import dataclasses
from mjx_arena import Arena, TaskSettings

@dataclasses.dataclass(frozen=True)
class Settings(TaskSettings):
    name: str = "mine"

class Mine(Arena):
    settings_type = Settings
    def reset(self, key, phase=None): ...
    def step(self, state, action): ...
"""


def test_a_file_holds_a_game(tmp_path):
    path = tmp_path / "my_game.py"
    path.write_text(GAME)
    assert registry.register_file(path) == registry.register_file(str(path)) == "mine"
    assert make("mine").settings.name == "mine" and registry.source_file("mine") == path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is no Python file"),
        ("1 / 0", "cannot be run: ZeroDivisionError"),
        ("x = 1", "must hold one subclass of mjx_arena.Arena with a settings_type; it holds none"),
        (GAME + "class Second(Mine):\n    settings_type = Settings", "it holds Mine, Second"),
        (GAME.replace('"mine"', '"qwop"'), "task=qwop: another task has this name"),
    ],
)
def test_a_file_that_holds_no_game_is_refused(tmp_path, content, message):
    path = tmp_path / f"game_{abs(hash(content))}.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingError, match=message):
        registry.register_file(path)


def test_numbers_that_are_not_finite_are_refused_by_name():
    registry.register(Guest)
    with pytest.raises(SettingError, match="task.size=inf: must be a finite number"):
        make("guest", PhysicsSettings(), size=float("inf"))
