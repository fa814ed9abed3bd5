"""What the command watch refuses before it listens."""

import pytest

from league.commands.watch import WatchSettings, watch
from mjx_arena.validation import SettingError


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, r"task=None: give a task, or run"),
        ({"dump": "nowhere.npz", "run": "latest"}, r"dump=nowhere.npz: says itself what is shown"),
        ({"task": "nothing"}, r"task=nothing: there is no such task"),
        ({"run": "latest"}, r"run=latest: there is no run"),
        ({"run": "nowhere"}, r"run=nowhere: is no run's folder"),
        ({"run": "champion:nobody"}, r"run=champion:nobody: there is no such champion"),
        ({"task": "qwop", "speed": 9.0}, r"speed=9.0: must be 0.1 to 8"),
        ({"task": "qwop", "physics": "none"}, r"physics=none: choose one of mjx, native, warp"),
        ({"task": "qwop", "port": 70000}, r"port=70000: must be 1 to 65535"),
        ({"task": "qwop", "checkpoint": 5}, r"checkpoint=5: goes with run"),
        ({"task": "qwop", "host": "no.such.host.invalid"}, r"host=no.such.host.invalid: is no address"),
        ({"task": "qwop", "players": ("nowhere",)}, r"players=nowhere: is no run's folder"),
    ],
)
def test_bad_settings_are_refused_by_name(settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match=message):
        watch(WatchSettings(**settings))
