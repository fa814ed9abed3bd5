import io
import json
import math

import pytest
from rich.console import Console
from tensorboardX.proto.event_pb2 import Event

from league.run.logs import JsonLines, LoggerSettings, Progress, TensorBoard, open_writers, progress_line
from mjx_arena.validation import SettingError


def row(iteration, **metrics):
    return {
        "iteration": iteration,
        "arena_steps": 1000 * iteration,
        **metrics,
        "time/iteration_seconds": 0.5,
        "time/arena_steps_per_second": 2000.0,
    }


def lines_of(path):
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def test_every_row_is_one_json_object_on_disk_at_once(tmp_path):
    path = tmp_path / "metrics.jsonl"
    writer = JsonLines(path)
    writer.write(row(1, loss=0.25))
    writer.write(row(2, loss=math.nan, rate=math.inf))
    assert lines_of(path) == [row(1, loss=0.25), row(2, loss=None, rate=None)]
    writer.close()


def test_resuming_drops_later_rows_and_a_line_cut_short(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [json.dumps(row(iteration)) for iteration in (1, 2, 3)]
    path.write_text("\n".join(rows) + '\n{"iteration": 4, "arena')
    writer = JsonLines(path, resume_after=2)
    writer.write(row(3, again=1))
    writer.close()
    assert lines_of(path) == [row(1), row(2), row(3, again=1)]


def test_resuming_without_a_file_starts_one(tmp_path):
    writer = JsonLines(tmp_path / "metrics.jsonl", resume_after=2)
    writer.write(row(3))
    writer.close()
    assert [line["iteration"] for line in lines_of(tmp_path / "metrics.jsonl")] == [3]


def test_tensorboard_holds_the_finite_numbers_and_purges_on_resume(tmp_path):
    writer = TensorBoard(tmp_path)
    writer.write(row(1, loss=0.25, empty=math.nan))
    writer.close()
    events = read_events(next(tmp_path.iterdir()))
    values = {value.tag: (event.step, value.simple_value) for event in events for value in event.summary.value}
    assert values["loss"] == (1, 0.25)
    assert "empty" not in values and "iteration" not in values

    resumed = tmp_path / "resumed"
    writer = TensorBoard(resumed, resume_after=7)
    writer.write(row(8))
    writer.close()
    starts = [event.step for event in read_events(next(resumed.iterdir())) if event.HasField("session_log")]
    assert starts == [8]


def read_events(path):
    """The records of an event file: length (8 bytes), its checksum (4), content, checksum (4)."""
    content, events = path.read_bytes(), []
    while content:
        size = int.from_bytes(content[:8], "little")
        events.append(Event.FromString(content[12 : 12 + size]))
        content = content[16 + size :]
    return events


def test_progress_line_is_readable():
    line = progress_line(
        row(125, episode_return=12.34, match_length=411.6, **{"league/win_rate_pool": 0.61}), 1500, 2160.0
    )
    assert line == (
        "iteration 125/1500 · 125k arena steps · 2k arena steps/s · return 12.34 · match 412 steps · "
        "wins 61% against the pool · 36 min left"
    )


def test_progress_line_leaves_out_what_is_unknown_and_reports_skips():
    line = progress_line(row(10, episode_return=math.nan, skipped_updates=3), 10, 0.0)
    assert line == "iteration 10/10 · 10k arena steps · 2k arena steps/s · 3 updates skipped as not finite"


def test_progress_prints_seldom_where_the_output_is_no_terminal():
    out = io.StringIO()
    progress = Progress(5, seconds=3600, console=Console(file=out, width=40))
    for iteration in range(1, 6):
        progress.write(row(iteration))
    progress.close()
    printed = out.getvalue().splitlines()
    assert [line.split(" · ")[0] for line in printed] == ["iteration 1/5", "iteration 5/5"]


def test_progress_redraws_one_line_on_a_terminal():
    out = io.StringIO()
    progress = Progress(3, seconds=3600, console=Console(file=out, width=200, force_terminal=True))
    for iteration in range(1, 4):
        progress.write(row(iteration))
    progress.close()
    assert out.getvalue().count("\n") == 1 and "iteration 3/3" in out.getvalue()


def test_open_writers_makes_what_is_asked_for(tmp_path):
    settings = LoggerSettings(console=False, tensorboard=False)
    with open_writers(tmp_path, settings, 3, Console(file=io.StringIO())) as writers:
        for writer in writers:
            writer.write(row(1))
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


@pytest.mark.parametrize(("key", "value"), [("interval", 0), ("console_seconds", -1.0)])
def test_impossible_settings_are_named(key, value):
    with pytest.raises(SettingError, match=f"logger.{key}={value}: must"):
        LoggerSettings(**{key: value}).validate()
