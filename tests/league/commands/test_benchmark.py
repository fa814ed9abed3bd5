"""The command benchmark, but for its timing."""

import dataclasses

import pytest

from league.commands import benchmark
from league.run.measure import Report
from mjx_arena import registry
from mjx_arena.physics import PhysicsSettings, native_library
from mjx_arena.validation import SettingError


@pytest.fixture
def measured(monkeypatch):
    """Settings that reach the measurement."""
    seen = []

    def take(settings, rounds, announce):
        seen.append(settings)
        return Report(*[1.0] * len(dataclasses.fields(Report)))

    monkeypatch.setattr(benchmark, "measure", take)
    return seen


def test_it_measures_what_would_be_trained(measured, monkeypatch):
    monkeypatch.setattr(native_library, "load", lambda: "there is no compiler")
    task = registry.settings_type("qwop")()
    benchmark.benchmark(benchmark.BenchmarkSettings(task=task, physics=PhysicsSettings(engine="native")))
    assert measured[0].devices == 1  # by way of Python the engine runs on one


def test_settings_that_cannot_work_are_refused(measured):
    settings = benchmark.BenchmarkSettings(task=registry.settings_type("qwop")(), rounds=0)
    with pytest.raises(SettingError, match="rounds=0"):
        benchmark.benchmark(settings)
    assert not measured


def test_several_processes_are_refused(measured):
    task = registry.settings_type("qwop")()
    with pytest.raises(SettingError, match="processes=2: a benchmark is of one process"):
        benchmark.benchmark(benchmark.BenchmarkSettings(task=task, processes=2))
    assert not measured
