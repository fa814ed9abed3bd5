"""Writes a run's numbers: `metrics.jsonl` for programs, TensorBoard for curves, a progress line for people.

A row is a flat dict for one logged iteration: `iteration`, `arena_steps`, the learner's metrics by name, and the timing
`time/iteration_seconds` and `time/arena_steps_per_second`. Only timing may differ between two equal runs.
"""

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

from league.run.folder import EVENTS, METRICS
from league.settings import LoggerSettings
from mjx_arena.drafts import draft_of

_FLUSH_SECONDS = 5.0  # between two flushes of the event file, which wait for the disk

Row = Mapping[str, float | int]

# What the progress line shows of a row: (key, format). Keys that the row lacks are left out.
_COLUMNS = (
    ("episode_return", "return {:.2f}"),
    ("match_length", "match {:.0f} steps"),
    ("league/win_rate_pool", "wins {:.0%} against the pool"),
)


class Writer(Protocol):
    """What the run loop writes rows to."""

    def write(self, row: Row) -> None:
        """Writes one row."""
        ...

    def close(self) -> None:
        """Writes what is still waiting, and closes."""
        ...


class JsonLines:
    """A writer of one JSON object per row, flushed at once. Numbers that are not finite become null."""

    def __init__(self, path: Path, resume_after: int | None = None):
        """Starts an empty file; on resume keeps its rows up to iteration `resume_after`."""
        _keep_rows(path, last=resume_after or 0)
        self._file = path.open("a", encoding="utf-8")

    def write(self, row: Row) -> None:
        finite = {key: value if math.isfinite(value) else None for key, value in row.items()}
        self._file.write(json.dumps(finite, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class TensorBoard:
    """A writer of scalars to an event file; scalars after `resume_after` in older files are marked as purged.

    It does not use tensorboardX's `SummaryWriter`, whose thread dies on a full disk and then blocks the run.
    """

    def __init__(self, folder: Path, resume_after: int | None = None):
        folder.mkdir(exist_ok=True)
        self._file = EventsWriter(str(folder / "events"), filename_suffix=f".{resume_after or 0}")
        self._flushed_at = time.monotonic()
        if resume_after is not None:
            restart = SessionLog(status=SessionLog.START)
            self._file.write_event(Event(wall_time=time.time(), step=resume_after + 1, session_log=restart))

    def write(self, row: Row) -> None:
        finite = {key: value for key, value in row.items() if key != "iteration" and math.isfinite(value)}
        summary = Summary(value=[Summary.Value(tag=key, simple_value=value) for key, value in finite.items()])
        self._file.write_event(Event(wall_time=time.time(), step=int(row["iteration"]), summary=summary))
        if time.monotonic() - self._flushed_at >= _FLUSH_SECONDS:
            self._file.flush()
            self._flushed_at = time.monotonic()

    def film(self, iteration: int, picture: bytes) -> None:
        """Writes a film, an animated GIF of 320 x 240 pixels."""
        image = Summary.Image(height=240, width=320, colorspace=3, encoded_image_string=picture)
        summary = Summary(value=[Summary.Value(tag="film", image=image)])
        self._file.write_event(Event(wall_time=time.time(), step=iteration, summary=summary))

    def close(self) -> None:
        self._file.close()


class Progress:
    """A writer of the progress line: redrawn in place on a terminal, else printed at most every `seconds`."""

    def __init__(self, iterations: int, seconds: float, console: Console | None = None):
        self._iterations, self._seconds = iterations, seconds
        self._console = console or Console()
        self._last = -math.inf
        self._first: tuple[int, float] | None = None  # iteration and time of the first row
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        if self._live:
            self._live.start()

    def write(self, row: Row) -> None:
        now, iteration = time.monotonic(), int(row["iteration"])
        self._first = self._first or (iteration - 1, now - row["time/iteration_seconds"])
        seconds_left = (now - self._first[1]) / (iteration - self._first[0]) * (self._iterations - iteration)
        line = progress_line(row, self._iterations, seconds_left)
        if self._live:
            self._live.update(Text(line), refresh=True)
        elif now - self._last >= self._seconds or iteration == self._iterations:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            self._last = now

    def close(self) -> None:
        if self._live:
            self._live.stop()


@contextlib.contextmanager
def open_writers(
    folder: Path, settings: LoggerSettings, iterations: int, console: Console, resume_after: int | None = None
) -> Iterator[list[Writer]]:
    """Opens the writers that `settings` ask for on a run's folder; closes them at the end of the block."""
    with contextlib.ExitStack() as stack:
        writers: list[Writer] = [JsonLines(folder / METRICS, resume_after)]
        if settings.tensorboard:
            writers.append(TensorBoard(folder / EVENTS, resume_after))
        if settings.console:
            writers.append(Progress(iterations, settings.console_seconds, console))
        for writer in writers:
            stack.callback(_close, writer)
        yield writers


def _close(writer: Writer) -> None:
    with contextlib.suppress(OSError):  # a full disk: writing the last row has reported it
        writer.close()


def progress_line(row: Row, iterations: int, seconds_left: float) -> str:
    """Returns a row in words: iteration, arena steps, speed, `_COLUMNS`, what was not finite, time left."""
    parts = [
        f"iteration {row['iteration']}/{iterations}",
        f"{_short(row['arena_steps'])} arena steps",
        f"{_short(row['time/arena_steps_per_second'])} arena steps/s",
    ]
    parts += [form.format(row[key]) for key, form in _COLUMNS if math.isfinite(row.get(key, math.nan))]
    if row.get("nonfinite_arenas", 0) > 0:
        parts.append(f"{row['nonfinite_arenas']} arenas not finite")
    if row.get("skipped_updates", 0) > 0:
        parts.append(f"{row['skipped_updates']} updates skipped as not finite")
    if row["iteration"] < iterations:
        parts.append(f"{_duration(seconds_left)} left")
    return " · ".join(parts)


def _short(number: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _keep_rows(path: Path, last: int) -> None:
    """Rewrites the file with the rows up to iteration `last`, without lines that a crash has cut short."""
    kept = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if row["iteration"] <= last:
            kept.append(line + "\n")
    with draft_of(path) as draft:
        draft.write_text("".join(kept), encoding="utf-8")
