"""Arenas over devices and samples over minibatches, and that what a message proposes works."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from league import split
from league.config.compose import compose
from league.settings import RunSettings
from mjx_arena.registry import settings_type
from mjx_arena.validation import SettingError


@given(
    arenas=st.integers(1, 64),
    devices=st.integers(1, 4),
    horizon=st.integers(1, 32),
    minibatches=st.integers(1, 16),
    mirror=st.floats(0, 1),
)
def test_what_a_message_proposes_works(arenas, devices, horizon, minibatches, mirror):
    settings = compose_quickly(arenas, horizon, minibatches, mirror)
    for _ in range(2):
        try:
            split.check_split(settings, devices)
        except SettingError as error:
            proposed = int(error.remedy.split("for example ")[1].split(" ")[0].rstrip(","))
            if error.key == "num_arenas":
                settings = dataclasses.replace(settings, num_arenas=proposed)
            else:
                ppo = dataclasses.replace(settings.ppo, num_minibatches=proposed)
                settings = dataclasses.replace(settings, ppo=ppo)
    split.check_split(settings, devices)


@given(arenas=st.integers(1, 64), devices=st.integers(1, 4), horizon=st.integers(1, 32), size=st.integers(1, 4000))
def test_a_size_of_minibatches_is_that_of_all_devices_together(arenas, devices, horizon, size):
    settings = compose_quickly(arenas * devices, horizon, 1, 0.5)
    settings = dataclasses.replace(settings, ppo=dataclasses.replace(settings.ppo, minibatch_size=size))
    try:
        split.check_split(settings, devices)
    except SettingError as error:
        assert error.key == "ppo.minibatch_size"
        size = int(error.remedy.split("for example ")[1].split(" ")[0].rstrip(","))
        settings = dataclasses.replace(settings, ppo=dataclasses.replace(settings.ppo, minibatch_size=size))
        split.check_split(settings, devices)
    samples = horizon * devices * split.learner_rows(arenas, 0.5, 2)
    assert samples == size * settings.ppo.minibatches(samples)


def test_larger_batches_of_arenas_get_more_minibatches_of_one_size():
    for arenas in (512, 4096):
        ppo = compose([f"num_arenas={arenas}", "ppo.minibatch_size=3072"]).ppo
        assert ppo.minibatches(24 * split.learner_rows(arenas, 0.5, 2)) == 6 * arenas // 512


def compose_quickly(arenas, horizon, minibatches, mirror):
    settings = RunSettings(task=settings_type("humanoid_duel")(), num_arenas=arenas)
    return dataclasses.replace(
        settings,
        ppo=dataclasses.replace(settings.ppo, horizon=horizon, num_minibatches=minibatches),
        league=dataclasses.replace(settings.league, mirror_fraction=mirror),
    )


def test_learner_rows_count_every_agent_of_mirror_arenas():
    assert split.learner_rows(512, 0.5, 2) == 256 * 2 + 256
    assert split.learner_rows(10, 0.0, 3) == 10
    assert split.learner_rows(10, 1.0, 3) == 30


@pytest.mark.parametrize(("available", "chosen"), [(1, 1), (2, 2), (3, 2), (8, 8), (12, 8)])
def test_as_many_devices_as_the_arenas_split_over(available, chosen):
    assert split.choose_devices(compose([]), available) == chosen


def test_more_devices_than_there_are_is_refused():
    with pytest.raises(SettingError, match="devices=4: there are 2"):
        split.choose_devices(compose(["devices=4"]), 2)


def test_devices_split_over_processes():
    assert split.choose_devices(compose([]), 6, processes=2) == 4  # 512 arenas do not split over 6
    assert split.choose_devices(compose([]), 3, processes=2) == 2
