import json
import os
import signal
import threading

import jax
import jax.numpy as jnp
import pytest
from flax import struct

from league.run.checkpoints import CheckpointError, Checkpoints
from league.run.logs import JsonLines
from league.run.loop import LoopSettings, RunError, RunLoop


@struct.dataclass
class Toy:
    iteration: jax.Array
    value: jax.Array
    key: jax.Array


def toy_state():
    return Toy(jnp.int32(0), jnp.float32(0), jax.random.key(0))


def toy_iterate(bad_from=None, bad_until=10**6):
    """A donated iteration whose updates are all skipped in iterations `bad_from` up to `bad_until`."""

    def iterate(state):
        iteration = state.iteration + 1
        key, k_value = jax.random.split(state.key)
        value = state.value + jax.random.normal(k_value)
        bad = (iteration >= bad_from) & (iteration < bad_until) if bad_from else False
        metrics = {"value": value, "updates": jnp.int32(4), "skipped_updates": 4 * jnp.int32(bad)}
        counts = {"nonfinite_arenas": jnp.int32(bad), "nonfinite/loss": 4 * jnp.int32(bad)}
        return Toy(iteration, value, key), metrics | counts

    return jax.jit(iterate, donate_argnums=0)


class ToyDumps:
    def __init__(self):
        self.taken = []

    def take(self, state, row):
        self.taken.append((int(state.iteration), row["iteration"]))

    def where(self):
        return "dumps are somewhere"


class Recorder:
    """A writer that keeps rows and can do something at one of them."""

    def __init__(self, at=None, action=None):
        self.rows, self._at, self._action = [], at, action

    def write(self, row):
        self.rows.append(row)
        if row["iteration"] == self._at:
            self._action()

    def close(self):
        pass


@pytest.fixture
def checkpoints(tmp_path):
    with Checkpoints(tmp_path / "checkpoints") as opened:
        yield opened


def make_loop(iterate, checkpoints, writers=(), messages=None, dumps=None, **settings):
    announced = [] if messages is None else messages
    return RunLoop(
        iterate,
        LoopSettings(**{"iterations": 6, "arena_steps_per_iteration": 10, "checkpoint_interval": 2} | settings),
        checkpoints=checkpoints,
        meta={"task": "toy"},
        writers=writers,
        dumps=dumps or ToyDumps(),
        announce=announced.append,
    )


def test_runs_to_the_end_and_saves_on_the_way(checkpoints):
    recorder = Recorder()
    assert make_loop(toy_iterate(), checkpoints, [recorder]).run(toy_state()) == 0
    assert [(row["iteration"], row["arena_steps"]) for row in recorder.rows] == [(n, 10 * n) for n in range(1, 7)]
    assert all(type(row["value"]) is float and row["time/iteration_seconds"] > 0 for row in recorder.rows)
    assert checkpoints.steps() == [4, 6]


@pytest.mark.parametrize("interval", [1, 3, 4])
def test_rows_come_every_log_interval(checkpoints, interval):
    recorder = Recorder()
    make_loop(toy_iterate(), checkpoints, [recorder], log_interval=interval, iterations=9).run(toy_state())
    assert [row["iteration"] for row in recorder.rows] == list(range(interval, 10, interval))


def test_metrics_leave_the_device_once_per_log_interval(checkpoints, monkeypatch):
    fetches = []
    real = jax.device_get

    def counted(x):
        if isinstance(x, list):  # of metrics; states are fetched too, to be saved
            fetches.append(len(x))
        return real(x)

    monkeypatch.setattr("league.run.loop.jax.device_get", counted)
    make_loop(toy_iterate(), checkpoints, log_interval=4, checkpoint_interval=100, iterations=10).run(toy_state())
    assert fetches == [4, 4, 2]


def lines_without_time(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in row.items() if not key.startswith("time/")} for row in rows]


@pytest.mark.parametrize("interval", [1, 3])
def test_ten_and_ten_more_equal_twenty(tmp_path, interval):
    def play(folder, iterations, state, resume_after=None):
        writer = JsonLines(folder / "metrics.jsonl", resume_after)
        with Checkpoints(folder / "checkpoints") as checkpoints:
            if resume_after is not None:
                state, _ = checkpoints.restore(state)
            settings = {"iterations": iterations, "log_interval": interval, "checkpoint_interval": 7}
            make_loop(toy_iterate(), checkpoints, [writer], **settings).run(state)
        writer.close()

    for name in ("whole", "halves"):
        (tmp_path / name).mkdir()
    play(tmp_path / "whole", 20, toy_state())
    play(tmp_path / "halves", 10, toy_state())
    play(tmp_path / "halves", 20, toy_state(), resume_after=10)
    whole, halves = (lines_without_time(tmp_path / name / "metrics.jsonl") for name in ("whole", "halves"))
    assert len(whole) == 20 // interval and halves == whole


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_finishes_the_iteration_saves_and_sets_the_status(checkpoints, number, status):
    arrived = threading.Event()

    def send():
        os.kill(os.getpid(), number)
        assert arrived.wait(5)

    messages = []
    loop = make_loop(toy_iterate(), checkpoints, [Recorder(3, send)], iterations=100, checkpoint_interval=50)
    loop._announce = lambda text: (messages.append(text), "stopping" in text and arrived.set())
    handlers = [signal.getsignal(each) for each in signal.Signals]

    assert loop.run(toy_state()) == status
    assert checkpoints.latest_step() == 3
    assert any("stopping after this iteration" in text for text in messages)
    assert [signal.getsignal(each) for each in signal.Signals] == handlers


def test_a_run_that_skips_every_update_stops_and_keeps_the_last_good_checkpoint(checkpoints):
    recorder, dumps = Recorder(), ToyDumps()
    settings = {"iterations": 50, "max_skipped_iterations": 5}
    loop = make_loop(toy_iterate(bad_from=4), checkpoints, [recorder], dumps=dumps, **settings)
    with pytest.raises(RunError) as error:
        loop.run(toy_state())

    message = str(error.value)
    assert "since iteration 4" in message and "ppo.max_skipped_iterations=5" in message
    assert "last checkpoint is of iteration 2" in message and "dumps are somewhere" in message
    assert "in the last, not finite: loss 4;" in message
    assert checkpoints.steps() == [0, 2]
    assert dumps.taken == [(number, number) for number in (4, 5, 6, 7, 8)]
    assert [row.get("nonfinite/loss") for row in recorder.rows] == [None, None, None, 4, 4, 4, 4, 4]


def test_of_several_iterations_at_once_the_last_that_broke_is_dumped(checkpoints):
    dumps = ToyDumps()
    iterate = toy_iterate(bad_from=3, bad_until=5)
    make_loop(iterate, checkpoints, dumps=dumps, iterations=8, log_interval=8, checkpoint_interval=8).run(toy_state())
    assert dumps.taken == [(8, 4)]


@pytest.mark.parametrize("interval", [1, 7])
def test_skips_that_end_do_not_stop_the_run(checkpoints, interval):
    iterate = toy_iterate(bad_from=3, bad_until=7)
    loop = make_loop(iterate, checkpoints, iterations=10, max_skipped_iterations=5, log_interval=interval)
    assert loop.run(toy_state()) == 0
    assert checkpoints.steps() == [8, 10]


def test_ending_in_the_middle_of_skips_does_not_save(checkpoints):
    messages = []
    loop = make_loop(toy_iterate(bad_from=5), checkpoints, messages=messages, iterations=6)
    assert loop.run(toy_state()) == 0
    assert checkpoints.steps() == [2, 4]
    assert messages[-1] == (
        "not saved: no update has been finite since iteration 5; the last checkpoint is of iteration 4"
    )


def test_a_save_that_fails_on_the_way_is_a_warning_and_at_the_end_an_error(checkpoints, monkeypatch):
    messages, real = [], Checkpoints.save

    def failing(self, step, state, meta):
        if step >= 4:
            raise CheckpointError(f"cannot save checkpoint {step}: No space left on device")
        real(self, step, state, meta)

    monkeypatch.setattr(Checkpoints, "save", failing)
    with pytest.raises(RunError, match="cannot save checkpoint 6: No space left on device; .* is of iteration 2"):
        make_loop(toy_iterate(), checkpoints, messages=messages).run(toy_state())
    warnings = [text for text in messages if text.startswith("warning")]
    assert len(warnings) == 1 and "checkpoint 4: No space left on device; training goes on" in warnings[0]


def test_a_log_that_cannot_be_written_ends_the_run_with_a_saved_state(checkpoints):
    def full():
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match="cannot write the log: No space left on device; .* iteration 3"):
        make_loop(toy_iterate(), checkpoints, [Recorder(3, full)], checkpoint_interval=100).run(toy_state())


def test_resuming_a_complete_run_does_nothing(checkpoints):
    make_loop(toy_iterate(), checkpoints).run(toy_state())
    recorder = Recorder()
    state, _ = checkpoints.restore(toy_state())
    assert make_loop(toy_iterate(), checkpoints, [recorder]).run(state) == 0
    assert recorder.rows == [] and checkpoints.steps() == [4, 6]
