"""Sends a run's numbers to experiment trackers: Weights & Biases, MLflow, trackio.

Each tracker has a thread of its own, so training waits for none of them. One that fails, or that has no network, costs
its own curves and one line of warning; the run goes on. What a tracker calls the run is kept in the run's folder, for
a run that is resumed to go on there.
"""

import contextlib
import importlib.util
import json
import math
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from league.run.logs import Row
from league.run.resume import flat
from league.settings import LoggerSettings
from mjx_arena.drafts import draft_of
from mjx_arena.validation import require

_IDENTITIES = "trackers.json"
_PATIENCE = 30.0  # s that the end of a run waits for what is still on its way
_WAITING_ROWS = 10_000  # a tracker that is so far behind is given up
_LONGEST_VALUE, _LONGEST_BATCH = 6000, 100  # of the parameters of a run, in MLflow

Ending = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run."""

    folder: Path
    project: str
    name: str
    axis: str  # metric over which curves are drawn: arena_steps or iteration
    parameters: Mapping[str, Any]  # the settings, nested
    identity: str | None  # what this tracker called the run before it was resumed; None for a new one


class Tracker(Protocol):
    """A run in an experiment tracker. Its constructor takes a `TrackedRun`, and may wait for a network, and fail."""

    identity: str  # to be kept
    place: str  # where a person finds it

    def log(self, row: Row) -> None:
        """Sends one row of finite numbers."""
        ...

    def finish(self, ending: Ending) -> None:
        """Waits until everything is sent, and ends the run."""
        ...


class Wandb:
    """A run of Weights & Biases. `WANDB_MODE`, `WANDB_ENTITY` and other variables of its own are obeyed."""

    def __init__(self, run: TrackedRun):
        import wandb

        quiet = wandb.Settings(silent=True, console="off", finish_timeout=_PATIENCE - 5, finish_timeout_raises=True)
        # Asked here, since `init` would ask on the terminal of the run.
        if wandb.setup(quiet).settings.mode == "online" and not wandb.login(prompt=False, verify=False):
            raise RuntimeError("there is no key for it here: `wandb login` keeps one, WANDB_MODE=offline needs none")
        self.identity = run.identity or uuid.uuid4().hex[:8]
        self._run = wandb.init(
            project=run.project,
            name=run.name,
            id=self.identity,
            resume="allow",
            dir=run.folder,
            reinit="create_new",  # beside one of the program that calls `league.train`
            settings=quiet,
        )
        self._run.config.update(dict(run.parameters), allow_val_change=True)
        self._run.define_metric("*", step_metric=run.axis)
        self.place = self._run.url or self._run.settings.sync_dir

    def log(self, row: Row) -> None:
        self._run.log(dict(row))

    def finish(self, ending: Ending) -> None:
        self._run.finish(exit_code={"finished": 0, "stopped": 255, "failed": 1}[ending])  # 255 as after its own Ctrl-C


class Mlflow:
    """A run of MLflow, at `MLFLOW_TRACKING_URI`. On resume, parameters that have changed are noted as tags."""

    def __init__(self, run: TrackedRun):
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
        from mlflow.entities import Param  # pyright: ignore[reportMissingImports]

        self._client, self._axis = MlflowClient(), run.axis
        self.identity = run.identity or self._created(run)
        self.place = f"{self._client.tracking_uri}, run {self.identity}"
        self._client.update_run(self.identity, "RUNNING")
        known = self._client.get_run(self.identity).data.params
        now = {key: str(value)[:_LONGEST_VALUE] for key, value in flat(dict(run.parameters)).items()}
        new = [Param(key, value) for key, value in now.items() if key not in known]
        for first in range(0, len(new), _LONGEST_BATCH):
            self._client.log_batch(self.identity, params=new[first : first + _LONGEST_BATCH])
        for key, value in now.items():
            if known.get(key, value) != value:
                self._client.set_tag(self.identity, f"{key} after resuming", value)

    def _created(self, run: TrackedRun) -> str:
        experiment = self._client.get_experiment_by_name(run.project)
        number = experiment.experiment_id if experiment else self._client.create_experiment(run.project)
        return self._client.create_run(number, run_name=run.name).info.run_id

    def log(self, row: Row) -> None:
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        now, step = int(time.time() * 1000), int(row[self._axis])
        self._client.log_batch(self.identity, metrics=[Metric(key, value, now, step) for key, value in row.items()])

    def finish(self, ending: Ending) -> None:
        status = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}[ending]
        self._client.set_terminated(self.identity, status)


class Trackio:
    """A run of trackio, in its folder on this machine or where `TRACKIO_SPACE_ID` or `TRACKIO_SERVER_URL` say."""

    def __init__(self, run: TrackedRun):
        import trackio  # pyright: ignore[reportMissingImports]

        # It finds a run by its name alone, which must therefore not be that of another one.
        self.identity = run.identity or f"{run.name}-{uuid.uuid4().hex[:6]}"
        settings = {"config": dict(run.parameters), "resume": "allow", "embed": False}
        self._run, self._axis = trackio.init(run.project, self.identity, **settings), run.axis
        self.place = f"project {run.project}, run {self.identity}"

    def log(self, row: Row) -> None:
        self._run.log(dict(row), step=int(row[self._axis]))

    def finish(self, ending: Ending) -> None:
        del ending  # it knows of one only
        self._run.finish()


# Name -> class; the names are also those of the modules that these import, and of the extras that bring them.
_KINDS: dict[str, Callable[[TrackedRun], Tracker]] = {"wandb": Wandb, "mlflow": Mlflow, "trackio": Trackio}


class _Sender(threading.Thread):
    """Opens a tracker and sends it rows, in the background. After a failure rows are dropped."""

    def __init__(self, name: str, run: TrackedRun, keep: Callable[[str, str], None], announce: Callable[[str], None]):
        super().__init__(name=name, daemon=True)  # a tracker that never answers does not keep the process
        self._run, self._keep, self._announce = run, keep, announce
        self._waiting: queue.Queue[Row | Ending] = queue.Queue(_WAITING_ROWS)
        self.works = True

    def run(self) -> None:
        try:
            tracker = _KINDS[self.name](self._run)
            self._keep(self.name, tracker.identity)
            self._announce(f"tracked by {self.name}: {tracker.place}")
            while not isinstance(item := self._waiting.get(), str):
                tracker.log(item)
            tracker.finish(item)
        except (Exception, SystemExit) as error:  # of any kind: it is another program's
            self.give_up(str(error) or type(error).__name__)

    def give_up(self, reason: str) -> None:
        """Drops what comes from now on, and says so once."""
        if self.works:
            self.works = False
            self._announce(f"warning: {self.name} gets nothing more: {reason.splitlines()[0]}; training goes on")

    def send(self, item: Row | Ending) -> None:
        """Sends a row, or the run's ending after the last one, as soon as the tracker takes it."""
        if self.works:
            try:
                self._waiting.put_nowait(item)
            except queue.Full:
                self.give_up(f"{_WAITING_ROWS} rows wait for it")


class Trackers:
    """A writer that hands each row to all trackers of a run."""

    def __init__(self, senders: list[_Sender]):
        self._senders = senders
        self.stopped = False  # whether a signal has ended the run
        for sender in senders:
            sender.start()

    def write(self, row: Row) -> None:
        """Hands over the finite numbers of a row."""
        finite = {key: value for key, value in row.items() if math.isfinite(value)}
        for sender in self._senders:
            sender.send(finite)

    def close(self, ending: Ending | None = None) -> None:
        """Ends the run in all trackers; waits `_PATIENCE` for them. `ending` None: by itself, or by a signal."""
        deadline = time.monotonic() + _PATIENCE
        for sender in self._senders:
            sender.send(ending or ("stopped" if self.stopped else "finished"))
        for sender in self._senders:
            sender.join(max(deadline - time.monotonic(), 0))
            if sender.is_alive():
                sender.give_up(f"it did not take everything within {_PATIENCE:.0f} s of the end")


def require_installed(names: tuple[str, ...]) -> None:
    """Raises SettingError for the first tracker whose package is missing."""
    for name in names:
        remedy = f"its package is missing; pip install 'mjx-arena[{name}]' brings it"
        require(importlib.util.find_spec(name) is not None, "logger.trackers", name, remedy)


@contextlib.contextmanager
def open_trackers(
    folder: Path,
    settings: LoggerSettings,
    parameters: Mapping[str, Any],
    resumed: bool,
    announce: Callable[[str], None],
) -> Iterator[Trackers]:
    """Opens the trackers that `settings` ask for; at the end of the block they are told how the run has ended.

    `parameters` are the run's settings as plain data. A run that is `resumed` goes on in each tracker where it was.
    """
    path, lock = folder / _IDENTITIES, threading.Lock()
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if resumed and path.is_file() else {}

    def keep(name: str, identity: str) -> None:
        with lock, draft_of(path) as draft:
            kept[name] = identity
            draft.write_text(json.dumps(kept), encoding="utf-8")

    name = settings.tracker_run or folder.resolve().name

    def sender(kind: str) -> _Sender:
        run = TrackedRun(folder, settings.tracker_project, name, settings.tracker_axis, parameters, kept.get(kind))
        return _Sender(kind, run, keep, announce)

    trackers = Trackers([sender(kind) for kind in settings.trackers])
    try:
        yield trackers
    except BaseException:
        trackers.close("failed")
        raise
    trackers.close()
