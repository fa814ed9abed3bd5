from pathlib import Path

import jax
import pytest

from league.commands import train
from league.config.compose import compose
from league.run.loop import RunError
from mjx_arena.validation import SettingError


def ended(metrics):
    return lambda settings, written: train.Result(Path("run"), 0, False, metrics)


def test_a_sweep_gets_the_metric_that_it_asked_for(monkeypatch):
    monkeypatch.setattr(train, "train", ended({"iteration": 3, "reward": 0.5, "episode_return": None}))
    assert train.run(compose([]), {}) == 0.5
    assert train.run(compose(["objective=episode_return"]), {}) is None


def test_a_metric_that_does_not_exist_is_named_with_those_that_do(monkeypatch):
    monkeypatch.setattr(train, "train", ended({"iteration": 3, "reward": 0.5, "time/iteration_seconds": 1.0}))
    message = "objective=rewrad: the run is saved, but has no such metric; it has iteration, reward$"
    with pytest.raises(SettingError, match=message):
        train.run(compose(["objective=rewrad"]), {})


def test_a_signal_ends_the_command_with_its_status(monkeypatch):
    monkeypatch.setattr(train, "train", lambda settings, written: train.Result(Path("run"), 143, True, {}))
    with pytest.raises(SystemExit, match="143"):
        train.run(compose([]), {})


@pytest.mark.parametrize("kind", [jax.errors.JaxRuntimeError, ValueError])
def test_whatever_xla_raises_for_a_lost_process_is_one_message(monkeypatch, kind):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(train, "_WATCH_SECONDS", 0)
    lost = r"process 0 has lost another process of the run \(UNKNOWN: Gloo AllGather failed\)"
    with pytest.raises(RunError, match=lost), train._together():
        raise kind("UNKNOWN: Gloo AllGather failed\nat a place")
    with pytest.raises(SettingError, match="seed=1"), train._together():
        raise SettingError("seed", 1, "is no number of the runtime")
    monkeypatch.setattr(jax, "process_count", lambda: 1)
    with pytest.raises(kind, match="^UNKNOWN"), train._together():
        raise kind("UNKNOWN: alone")
