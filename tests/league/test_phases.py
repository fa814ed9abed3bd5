"""When a phase ends, and what it decides."""

import jax.numpy as jnp
import numpy as np
import pytest

from league.phases import Phases
from mjx_arena.phases import Phase
from mjx_arena.validation import SettingError

EACH = (
    Phase("Touch", "touch the ball", self_play=False, learning_rate=1e-3, metric="touched", above=0.5, window=3),
    Phase("Score", self_play=False, arena_steps=25),
    Phase("Play", learning_rate=1e-4),
)
PHASES = Phases(EACH, arena_steps_per_iteration=10)


def run(values, state=None):
    """Phases, from 1, after each of these values of the metric."""
    state, found = state or PHASES.begin(), []
    for value in values:
        state = PHASES.after(state, {"touched": jnp.float32(value)})
        found.append(int(state.phase) + 1)
    return found, state


def test_a_phase_ends_once_the_mean_over_its_window_is_reached():
    assert run([0.9, 0.9, 0.9, 0.0])[0] == [1, 1, 2, 2]
    assert run([0.0, 0.6, 0.6, 0.6])[0] == [1, 1, 1, 2]
    assert run([0.9, 0.0, 0.5, 0.9])[0] == [1, 1, 1, 1]


def test_iterations_without_a_value_are_passed_over():
    assert run([0.9, np.nan, 0.9, np.nan, 0.9])[0] == [1, 1, 1, 1, 2]


def test_a_phase_ends_after_its_steps_and_the_last_one_never():
    _, second = run([0.9] * 3)
    assert int(second.iterations) == 0 and jnp.isnan(second.recent).all()
    assert run([0.0] * 6, second)[0] == [2, 2, 3, 3, 3, 3]  # 25 steps are 3 iterations


def test_what_a_phase_decides():
    assert [bool(PHASES.plays_pool(jnp.int32(phase))) for phase in range(3)] == [False, False, True]
    rates = [float(PHASES.learning_rate(jnp.int32(phase))) for phase in range(3)]
    assert rates[0] == pytest.approx(1e-3) and np.isnan(rates[1]) and rates[2] == pytest.approx(1e-4)
    assert PHASES.title(0) == "phase 1 of 3, Touch: touch the ball" and PHASES.label(1) == "Phase2-Score"


def test_a_task_without_phases_has_one_that_does_not_end():
    alone = Phases((), arena_steps_per_iteration=10)
    state = alone.begin()
    for _ in range(5):
        state = alone.after(state, {})
    assert int(state.phase) == 0 and bool(alone.plays_pool(state.phase))


def test_a_metric_that_does_not_exist_is_named():
    message = r"task.phases\[0\].metric=touched: there is no such metric; did you mean reward"
    with pytest.raises(SettingError, match=message):
        PHASES.after(PHASES.begin(), {"reward": jnp.float32(0)})


def test_a_linear_schedule_falls_from_the_rate_of_the_latest_phase_that_names_one():
    each = (Phase("A"), Phase("B", learning_rate=2e-3), Phase("C"), Phase("D", learning_rate=1e-4))
    phases = Phases(each, arena_steps_per_iteration=1)
    rates = [float(phases.schedule_from(jnp.int32(index), default=5e-3)) for index in range(4)]
    assert rates == pytest.approx([5e-3, 2e-3, 2e-3, 1e-4])
