"""What may change on resume, and what is refused by name."""

import pytest

from league.config.compose import compose, known_fields
from league.config.overrides import parse_overrides
from league.run.resume import resumed
from league.settings import RunSettings
from mjx_arena.validation import SettingError


def resume(saved_overrides, overrides):
    saved, overrides = compose(saved_overrides), ["resume=x", *overrides]
    written = {each.key: each.text for each in parse_overrides(overrides, known_fields(RunSettings))}
    return resumed(saved, compose(overrides), written)


def test_resuming_takes_the_saved_settings_with_what_may_change_on_top():
    saved = ["num_arenas=8", "seed=3", "logger.interval=5"]
    settings = resume(saved, ["iterations=2000", "logger.tensorboard=false", "checkpoint_interval=9"])
    assert (settings.num_arenas, settings.seed, settings.iterations, settings.checkpoint_interval) == (8, 3, 2000, 9)
    assert settings.logger.interval == 5 and not settings.logger.tensorboard


def test_resuming_counts_total_arena_steps_with_the_saved_sizes():
    assert resume(["num_arenas=8"], ["total_arena_steps=1000"]).iterations == 6


def test_resuming_accepts_values_that_are_the_same():
    assert resume(["num_arenas=8"], ["num_arenas=8", "task=humanoid_duel"]).num_arenas == 8


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["num_arenas=16"], "num_arenas=16: cannot change on resume, the run has 8"),
        (["ppo.gamma=0.9"], "ppo.gamma=0.9: cannot change on resume, the run has 0.995"),
        (["iterations=0"], "iterations=0: must be at least 1"),
        (
            ["experiment=duel_league"],
            "experiment=duel_league: a run that is resumed keeps its settings; leave this out",
        ),
    ],
)
def test_resuming_refuses_other_changes_by_name(overrides, message):
    with pytest.raises(SettingError) as error:
        resume(["num_arenas=8"], overrides)
    assert str(error.value).startswith(message)
