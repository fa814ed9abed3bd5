"""The loop around a jitted iteration: writes logs and checkpoints, obeys signals, stops runs that no longer learn."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax

from league.run import team
from league.run.checkpoints import CheckpointError, Checkpoints
from league.run.host_state import fetched
from league.run.logs import Writer
from league.run.milestones import Milestones
from league.run.signals import StopRequest, stop_requests
from league.run.video import VideoRecorder
from ppo.update import NONFINITE

Metrics = Mapping[str, Any]  # {name: []}
Row = Mapping[str, float | int]
Iterate = Callable[[Any], tuple[Any, Metrics]]
_LOG_FAILED = 1000  # above every signal


class RunError(RuntimeError):
    """A run that cannot go on. `str()` is one message for people."""


class Dumps(Protocol):
    """What keeps the arenas that were not finite."""

    def take(self, state: Any, row: Row) -> None:
        """Takes those of `state`; `row` is that of the last iteration in which there were any. All processes call it.

        Never raises for a file that cannot be written.
        """
        ...

    def where(self) -> str:
        """Returns where they are, as a part of a sentence."""
        ...


@dataclass(frozen=True)
class LoopSettings:
    """Intervals of the run loop, in iterations, and when it ends."""

    iterations: int  # the last one, counted from the beginning of the run
    arena_steps_per_iteration: int  # over all roles and devices
    log_interval: int = 1
    checkpoint_interval: int = 25
    max_skipped_iterations: int = 20  # consecutive ones without a finite update after which the run stops


class RunLoop:
    """Calls `iterate` until the last iteration, a signal, or too many iterations without a finite update.

    Args:
      iterate: `state -> (state, metrics)`, jitted, may donate its argument; `state.iteration` counts the calls.
        `metrics` are scalars, of which `updates` and `skipped_updates` tell whether the run still learns.
      compile: `state -> iterate`, called before the first iteration so that its time does not count as training.
      checkpoints: saves the state with `meta`; None in the further processes of a run.
      writers: get a row every `log_interval` iterations.
      dumps: takes the states in which arenas were not finite.
      lasting: the part of a state that is saved.
      recorder: makes films from the metric `film`.
      milestones: keeps copies of checkpoints.
      title: the metric `phase` -> its title for people, and its name in folders.
      announce: shows a message to people, and never raises.
    """

    def __init__(
        self,
        iterate: Iterate,
        settings: LoopSettings,
        *,
        compile: Callable[[Any], Iterate] | None = None,
        checkpoints: Checkpoints | None,
        meta: dict[str, Any],
        writers: Sequence[Writer],
        dumps: Dumps,
        lasting: Callable[[Any], Any] = lambda state: state,
        recorder: VideoRecorder | None = None,
        milestones: Milestones | None = None,
        title: Callable[[int], tuple[str, str]] = lambda phase: (f"phase {phase}", f"Phase{phase}"),
        announce: Callable[[str], None] = print,
    ):
        self._iterate, self._compile, self._settings = iterate, compile, settings
        self._checkpoints, self._meta, self._writers = checkpoints, meta, writers
        self._dumps, self._lasting, self._recorder, self._announce = dumps, lasting, recorder, announce
        self._milestones, self._title = milestones, title
        self._row_before: dict[str, float | int] = {}
        self._pending: list[Metrics] = []  # on the device, for each iteration since the last fetch
        self._log_error: OSError | None = None  # that keeps the log from being written
        self._stuck_since: int | None = None  # first iteration of those without a finite update up to now
        self._fetched_at = time.monotonic()
        self.stopped = False  # whether a signal stopped it before the last iteration

    def run(self, state: Any) -> int:
        """Runs from `state`, whose buffers `iterate` may donate. Returns the exit status, see `StopRequest`.

        Raises RunError where no update has been finite for too long (the last checkpoint is from before that), or where
        the log or the last checkpoint cannot be written; CheckpointError where the first checkpoint cannot.
        """
        iteration, last = int(state.iteration), self._settings.iterations
        if self._on_first(self._latest_step() is None):
            self._save(iteration, state)
        with stop_requests(self._announce) as stop:
            iterate = self._compiled(state) if iteration < last else self._iterate
            self._fetched_at = time.monotonic()
            while not self._ends(stop) and iteration < last:
                state, metrics = iterate(state)
                iteration += 1
                self._pending.append(metrics)
                milestone = self._milestone_due(iteration)
                save = milestone or (iteration % self._settings.checkpoint_interval == 0 and iteration < last)
                if save or iteration % self._settings.log_interval == 0:
                    self._take_in(iteration, state)
                if save:
                    self._save_or_warn(iteration, state)
                if milestone:
                    self._keep_milestone(iteration)
            self._take_in(iteration, state)
            self._save_last(iteration, state)
        self.stopped = bool(stop)
        return stop.exit_status

    def _ends(self, stop: StopRequest) -> bool:
        """Returns whether a signal to any process of the run, or a log that cannot be written, ends it."""
        code = team.agreed(_LOG_FAILED if self._log_error else int(stop.received or 0))
        if code not in (0, _LOG_FAILED):
            stop.received = signal.Signals(code)
        return code != 0

    def _on_first(self, condition: bool) -> bool:
        """Returns whether `condition` holds on the first process, which alone knows the checkpoints."""
        return bool(team.agreed(int(team.is_first() and condition)))

    def _latest_step(self) -> int | None:
        return self._checkpoints.latest_step() if self._checkpoints else None

    def _save(self, iteration: int, state: Any) -> None:
        """Saves the state, which all processes hold parts of. Raises CheckpointError."""
        host = fetched(self._lasting(state))
        if self._checkpoints:
            self._checkpoints.save(iteration, host, self._meta)

    def _compiled(self, state: Any) -> Iterate:
        if self._compile is None:
            return self._iterate
        began = time.monotonic()
        compiled = self._compile(state)
        self._announce(f"compiled in {time.monotonic() - began:.1f} s")
        return compiled

    def _take_in(self, iteration: int, state: Any) -> None:
        """Fetches the metrics of the iterations up to this one, logs those that are due, and stops a stuck run."""
        if not self._pending:
            return
        fetched = jax.device_get(self._pending)
        self._pending = []
        now = time.monotonic()
        seconds, self._fetched_at = (now - self._fetched_at) / len(fetched), now
        rows = []
        for number, metrics in enumerate(fetched, start=iteration - len(fetched) + 1):
            frames = metrics.pop("film", None)
            if self._recorder is not None and frames is not None:
                self._recorder.take(number, frames)
            row = self._row(number, metrics, seconds)
            if row.get("phase", 1) != self._row_before.get("phase", row.get("phase", 1)):
                self._announce(f"iteration {number}: {self._title(int(row['phase']))[0]}")
            self._row_before = row
            if number % self._settings.log_interval == 0:
                self._write(row)
            rows.append(row)
        if broke := [row for row in rows if row.get("nonfinite_arenas")]:
            self._dumps.take(state, broke[-1])
        for row in rows:
            self._guard(row)

    def _row(self, iteration: int, metrics: Mapping[str, Any], seconds: float) -> dict[str, float | int]:
        steps = self._settings.arena_steps_per_iteration
        values = {name: value.item() for name, value in metrics.items()}
        return {
            "iteration": iteration,
            "arena_steps": iteration * steps,
            **{name: value for name, value in values.items() if value or not name.startswith(NONFINITE)},
            "time/iteration_seconds": seconds,
            "time/arena_steps_per_second": steps / seconds,
        }

    def _write(self, row: Row) -> None:
        """Writes a row; where that fails, the run ends after this iteration."""
        try:
            for writer in self._writers if self._log_error is None else ():
                writer.write(row)
        except OSError as error:
            self._log_error = error

    def _guard(self, row: Row) -> None:
        """Raises RunError after `max_skipped_iterations` without a finite update."""
        iteration, updates, skipped = int(row["iteration"]), row.get("updates", 0), row.get("skipped_updates", 0)
        if updates == 0 or skipped < updates:
            self._stuck_since = None
            return
        self._stuck_since = self._stuck_since or iteration
        if iteration - self._stuck_since + 1 < self._settings.max_skipped_iterations:
            return
        counts = ", ".join(f"{name.removeprefix(NONFINITE)} {row[name]}" for name in row if name.startswith(NONFINITE))
        raise RunError(
            f"no update has been finite since iteration {self._stuck_since}, and ppo.max_skipped_iterations="
            f"{self._settings.max_skipped_iterations} of them were skipped; in the last, not finite: "
            f"{counts or 'nothing that is counted'}; {self._dumps.where()}; {self._last_checkpoint()}"
        )

    def _save_or_warn(self, iteration: int, state: Any) -> None:
        """Saves a checkpoint during the run; a failure is only a warning, since the state is still in memory."""
        if self._stuck_since is not None:
            return  # the state may hold what is not finite: keep the older checkpoints
        try:
            self._save(iteration, state)
        except CheckpointError as error:
            self._announce(f"warning: {error}; training goes on, {self._last_checkpoint()}")

    def _milestone_due(self, iteration: int) -> bool:
        steps = self._settings.arena_steps_per_iteration
        return self._milestones is not None and self._milestones.due((iteration - 1) * steps, iteration * steps)

    def _keep_milestone(self, iteration: int) -> None:
        """Copies the checkpoint that was just written to a milestone; a failure is only a warning."""
        if self._milestones is None or self._checkpoints is None or self._latest_step() != iteration:
            return  # not the first process, or it could not be saved, which was a warning already
        label = self._title(int(self._row_before.get("phase", 1)))[1]
        try:
            folder = self._milestones.keep(label, self._checkpoints.folder / str(iteration), self._row_before)
        except OSError as error:
            self._announce(f"warning: cannot keep a milestone: {error.strerror or error}; training goes on")
        else:
            self._announce(f"kept the milestone {folder}")

    def _save_last(self, iteration: int, state: Any) -> None:
        """Saves the state at the end, unless it is stuck or saved already.

        Raises RunError if it cannot be written, or if the log could not.
        """
        problem = f"cannot write the log: {_reason(self._log_error)}; " if self._log_error else ""
        if self._stuck_since is not None:
            since = self._stuck_since
            self._announce(f"not saved: no update has been finite since iteration {since}; {self._last_checkpoint()}")
        elif self._on_first(self._latest_step() != iteration):
            try:
                self._save(iteration, state)
            except CheckpointError as error:
                raise RunError(f"{problem}{error}; {self._last_checkpoint()}") from error
            if self._checkpoints:
                self._announce(f"saved checkpoint {iteration} in {self._checkpoints.folder}")
        if problem:
            raise RunError(f"{problem}{self._last_checkpoint()}") from self._log_error

    def _last_checkpoint(self) -> str:
        step = self._latest_step()
        return "there is no checkpoint" if step is None else f"the last checkpoint is of iteration {step}"


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
