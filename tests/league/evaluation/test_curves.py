"""Curves over runs: bands worked out by hand, which runs are one line, and logs that are cut."""

import json

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

from league.commands.plot import PlotSettings, plot
from league.evaluation.curves import Curve, alone, curve, draw, grouped, read_rows
from mjx_arena.validation import SettingError


def rows_of(values, every=10):
    return [{"arena_steps": every * (index + 1), "reward": value} for index, value in enumerate(values)]


@pytest.fixture
def make_run(tmp_path):
    """Writes a run's folder with settings and rows; returns it."""

    def make(name, rows=(), seed=0, task="qwop", rate=0.001, **others):
        folder = tmp_path / name
        folder.mkdir()
        config = {"task": {"name": task}, "ppo": {"learning_rate": rate, "learning_rate_schedule": "constant"}}
        others = {"seed": seed, "run_dir": str(folder), "iterations": 10 + seed, "devices": 1 + seed} | others
        (folder / "config.yaml").write_text(yaml.safe_dump(config | others))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder

    return make


def test_a_band_is_the_mean_least_and_greatest_up_to_the_shortest_run():
    found = curve([rows_of([1, 2, 3, 4]), rows_of([3, 6, 9]), rows_of([2, 1, 0, 9])], "reward", 1)
    assert found.steps.tolist() == [10, 20, 30]
    assert found.mean.tolist() == [2, 3, 4] and found.low.tolist() == [1, 1, 0] and found.high.tolist() == [3, 6, 9]


def test_each_run_is_averaged_before_the_least_and_the_greatest_are_taken():
    found = curve([rows_of([0, 4, 0]), rows_of([4, 0, 4])], "reward", 2)
    assert found.steps.tolist() == [20, 30]
    assert found.mean.tolist() == found.low.tolist() == found.high.tolist() == [2, 2]


def test_runs_with_other_rows_are_interpolated():
    found = curve([rows_of([0, 1, 2, 3]), rows_of([10, 20], every=20)], "reward", 1)
    assert found.steps.tolist() == [20, 40] and found.mean.tolist() == [5.5, 11.5]
    gaps = curve([rows_of([0, 1, 2]), rows_of([0, None, 4])], "reward", 1)
    assert gaps.steps.tolist() == [10, 30] and gaps.high.tolist() == [0, 4]


def test_a_lone_run_is_its_moving_average():
    found = curve([rows_of([1, 3, 5])], "reward", 20)
    assert found.steps.tolist() == [30] and found.mean.tolist() == found.low.tolist() == [3]


def test_a_metric_that_one_of_them_lacks_is_no_curve():
    assert curve([rows_of([1]), rows_of([None])], "reward", 1) is None
    assert curve([rows_of([1])], "entropy", 1) is None


def test_lines_that_are_cut_or_damaged_are_left_out(tmp_path):
    good = json.dumps({"arena_steps": 10, "reward": 1.0})
    lines = [good, "\x00\x00", "[1]", '{"reward": 2}', good.replace("10", "20"), '{"arena_steps": 30, "rew']
    (tmp_path / "metrics.jsonl").write_bytes("\n".join(lines).encode() + b"\xff")
    assert [row["arena_steps"] for row in read_rows(tmp_path)] == [10, 20]


def test_runs_that_differ_in_their_seed_alone_are_one_group(make_run):
    folders = [
        *(make_run(f"a{seed}", seed=seed) for seed in range(3)),
        make_run("b", rate=0.01),
        *(make_run(f"c{seed}", seed=seed, rate=0.1) for seed in range(2)),
    ]
    labels = [(group.label, len(group.folders)) for group in grouped(folders)]
    assert labels == [("learning_rate=0.001 (3 seeds)", 3), ("b", 1), ("learning_rate=0.1 (2 seeds)", 2)]
    assert [group.label for group in alone(folders)] == ["a0", "a1", "a2", "b", "c0", "c1"]


def test_groups_of_other_games_are_named_after_them(make_run):
    folders = [make_run(f"{task}{seed}", seed=seed, task=task) for task in ("qwop", "ant") for seed in range(2)]
    assert [group.label for group in grouped(folders)] == ["qwop (2 seeds)", "ant (2 seeds)"]
    assert [group.label for group in grouped(folders[:2])] == ["qwop (2 seeds)"]
    assert grouped([folders[0], make_run("again", task="qwop")])[0].label == "qwop (2 runs)"


def test_runs_without_settings_stay_alone(tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    assert [group.folders for group in grouped(folders)] == [(folders[0],), (folders[1],)]


def test_the_length_counts_where_a_schedule_ends_with_it(make_run):
    ppo = {"learning_rate_schedule": "linear"}
    assert len(grouped([make_run(f"run{seed}", seed=seed, ppo=ppo) for seed in range(2)])) == 2


def test_a_band_is_drawn_behind_its_line():
    axis = Figure().subplots()
    steps = np.array([1e6, 2e6])
    draw(axis, Curve(steps, np.array([2.0, 3]), np.array([1.0, 3]), np.array([3.0, 3])), "three")
    draw(axis, Curve(steps, *(np.array([1.0, 1]),) * 3), "one")
    assert [line.get_label() for line in axis.lines] == ["three", "one"] and len(axis.collections) == 1
    assert axis.lines[0].get_xdata().tolist() == [1, 2]


@pytest.mark.parametrize(("bands", "lines"), [(True, 1), (False, 2)])
def test_plot_draws_a_line_for_each_group(make_run, tmp_path, monkeypatch, bands, lines):
    folders = [make_run(f"run{seed}", rows_of([1, 2]), seed) for seed in range(2)]
    labels = []
    monkeypatch.setattr("league.commands.plot.draw", lambda axis, _, label: labels.append(axis.plot(0, label=label)))
    plot(PlotSettings(tuple(map(str, folders)), str(tmp_path / "curves.png"), ("reward",), bands))
    assert len(labels) == lines and (tmp_path / "curves.png").stat().st_size > 1000


def test_plot_names_a_run_without_the_metric_and_runs_that_share_no_steps(make_run, tmp_path):
    early = make_run("early", rows_of([1, 2]))
    late = make_run("late", [{"arena_steps": 90, "reward": 1.0}], seed=1)
    settings = {"runs": (str(early), str(late)), "out": str(tmp_path / "curves.png")}
    with pytest.raises(SettingError, match="no arena steps in common in reward; draw each by bands=false"):
        plot(PlotSettings(keys=("reward",), **settings))
    with pytest.raises(SettingError, match=f"keys=kl: {early} has logged no such number"):
        plot(PlotSettings(keys=("kl",), **settings))
