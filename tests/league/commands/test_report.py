"""The page about a run, of made-up folders; and one that plays for it."""

import base64
import html
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml

import league
from league.commands.report import ReportSettings, report
from league.config.compose import compose, to_mapping
from league.run import folder as run_folder
from league.run.checkpoints import Checkpoints
from mjx_arena.validation import SettingError

FILM = b"not really a film"


class Reader(HTMLParser):
    """Collects the tags, attributes and texts of a page, and holds every tag against the one that closes it."""

    EMPTY = {"meta", "br", "img"}

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())


@pytest.fixture(scope="module")
def settings():
    return to_mapping(
        compose(["task=qwop", "physics=native", "iterations=40", "seed=7", "ppo.gamma=0.9", "logger.interval=2"])
    )


@pytest.fixture
def folder(tmp_path, settings):
    """The folder of a run with a log, two checkpoints and a film; its name is not to be trusted."""
    folder = tmp_path / "<b>run & run"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(settings | {"run_dir": "</pre><script>alert(1)</script>"}))
    rows = [
        {
            "iteration": step,
            "arena_steps": 100 * step,
            "entropy": 1 / step,
            "episode_return": None if step < 3 else step,
            "league/elo": 1000.0,
            "reward/<i>speed": 0.5 * step,
            "skipped_updates": 1,
            "time/iteration_seconds": 3.0,
        }
        for step in range(2, 31, 2)
    ]
    log = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(log + '{"iteration": 32, "arena_st')
    with Checkpoints(folder / "checkpoints") as checkpoints:
        for step in (20, 30):
            versions = {"python": "3.11", "<jax>": "0.10"}
            checkpoints.save(step, {"x": np.zeros(1)}, {"task": "qwop", "settings": settings, "versions": versions})
    (folder / "films").mkdir()
    for name in ("iteration-9.mp4", "iteration-20.mp4", ".iteration-30.draft.mp4"):
        (folder / "films" / name).write_bytes(FILM if name == "iteration-20.mp4" else b"another")
    return folder


def read(folder, **settings):
    page = report(ReportSettings(str(folder), **({"matches": 0} | settings))).read_text(encoding="utf-8")
    return page, Reader(page)


def scores_of(iteration):
    score = {"matches": 50, "wins": 0.5, "draws": 0.0, "losses": 0.5, "wins_of_decided": 0.5, "survival": 0.0}
    score |= {"mean_length": 321.0, "mean_rank": 1.0, "mean_return": 12.5, "metrics": {}, "report": {"falls": 0.25}}
    return {"iteration": iteration, "settings": {}, "scores": {"fast & far": score}}


def test_the_page_says_what_the_run_is_and_what_can_be_done_with_it(folder, capsys):
    page, reader = read(folder)
    assert capsys.readouterr().out.startswith(f"wrote {folder / 'report.html'}, 0.")
    assert set(reader.tags) & {"script", "link", "iframe", "b", "i"} == set()
    assert [value for name, value in reader.attributes if name in ("href", "src") and ":" in value[:9]] == [
        "data:video/mp4;base64," + base64.b64encode(FILM).decode()
    ]
    for text in ("qwop: <b>run & run", "iteration 30", "30 of 40 iterations", "0.00 million", "15", "<jax>", "0.10"):
        assert any(text in each for each in reader.texts), text
    assert "1.5 minutes, 33 arena steps per second" in reader.texts  # 15 rows of two iterations of 3 s
    assert "Filmed in training, at iteration 20." in reader.texts
    text = html.unescape(re.sub("<[^>]*>", " ", page))
    for command in ("watch", "evaluate", "record", "export", "report"):
        assert f"{command} 'run={folder}'" in text, command
    assert f"train 'resume={folder}'" in text and "There are no ratings of the newest checkpoint, 30." in text


def test_settings_that_differ_come_first_and_the_rest_is_folded(folder):
    (folder / "changes.jsonl").write_text(
        '{"iteration": 12, "changes": {"ppo.entropy_coefficient": [0.01, 0.02]}}\n{"it'
    )
    page, _ = read(folder)
    rows = dict(re.findall(r'<tr><th scope="row">([\w.]+)</th>(.*)</tr>', page))
    assert rows["ppo.gamma"] == "<td>0.9</td><td>0.995</td>" and rows["seed"] == "<td>7</td><td>0</td>"
    assert rows["12"] == "<td>ppo.entropy_coefficient</td><td>0.02</td><td>0.01</td>"
    assert "ppo.gae_lambda" not in rows and "gae_lambda: 0.95" in page.partition("All of config.yaml")[2]


def test_curves_are_of_what_the_log_has_and_of_what_changes(folder):
    page, reader = read(folder)
    titles = re.findall(r"<figcaption>(.*)</figcaption>\n<svg", page)
    assert titles == ["return of a match", "entropy of the policy", "reward/&lt;i&gt;speed"]
    assert reader.tags.count("svg") == 3 and "#010203" not in page and "var(--line)" in page
    ids = [value for name, value in reader.attributes if name == "id"]
    charts = [set(re.findall(r' id="([^"]+)"', part)) for part in page.split("<svg")[1:]]
    assert set(ids) == set().union(*charts)


def test_scores_of_the_newest_checkpoint_are_shown_and_older_ones_are_not(folder):
    path = folder / "evaluation" / "scores.json"
    path.parent.mkdir()
    path.write_text(json.dumps(scores_of(30)))
    (path.parent / "distance.png").write_bytes(b"picture")
    page, reader = read(folder, matches=100)  # which need not be played
    assert {"fast & far", "50.0%", "36.6% to 63.4%", "321", "fast & far: falls", "0.25"} <= set(reader.texts)
    assert "data:image/png;base64," + base64.b64encode(b"picture").decode() in page
    path.write_text(json.dumps(scores_of(20)))
    assert "fast &amp; far" not in read(folder)[0]
    path.write_text(json.dumps(scores_of(30)))
    os.utime(path, (0, 0))  # of another run that was here
    assert "fast &amp; far" not in read(folder)[0]


def test_a_ladder_is_a_table_with_the_best_first(folder):
    (folder / "evaluation").mkdir()
    member = {"rating_low": 900.0, "rating_high": 1100.0, "win_rate": 0.25, "nash_weight": 1.0, "mean_rank": 1.5}
    member |= {"win_rate_against_nash": 0.5, "win_rate_as_chaser": 0.125}
    members = [member | {"name": str(step), "iteration": step, "rating": 1000.0 + step} for step in (20, 30)]
    members[1] |= {"ahead": 10.0, "ahead_low": 2.0, "ahead_high": 18.0}
    ladder = {"members": members, "matches": 40, "void": 2, "cyclic_share": 0.1}
    (folder / "evaluation" / "ladder.json").write_text(json.dumps(ladder))
    page, _ = read(folder)
    assert "as_chaser" in page and "40 matches, 2 of them void" in page
    assert page.index(
        '<th scope="row">30</th><td>1030</td><td>900 to 1100</td><td>2 to 18</td><td>25.0%</td><td>12.5%</td>'
    ) < page.index('<th scope="row">20</th><td>1020</td><td>900 to 1100</td><td></td>')


def test_a_run_without_checkpoints_and_rows_has_a_page_too(folder, monkeypatch):
    for each in (folder / "films").iterdir():
        each.unlink()
    monkeypatch.setattr(run_folder, "finished_steps", lambda folder: [])
    (folder / "metrics.jsonl").write_text("")
    _, reader = read(folder, matches=5)
    for text in ("no ratings, since", "no picture, since", "Nothing has been logged", "no checkpoint yet, which"):
        assert any(text in each for each in reader.texts), text


def test_what_cannot_be_played_or_drawn_is_said_on_the_page(folder, monkeypatch):
    for each in (folder / "films").iterdir():
        each.unlink()

    def refuse(_):
        raise SettingError("out", "x.png", "no renderer works here")

    monkeypatch.setattr("league.commands.report.evaluate", refuse)
    monkeypatch.setattr("league.commands.report.record", refuse)
    _, reader = read(folder, matches=5)
    assert "There is no picture: out=x.png: no renderer works here." in reader.texts
    assert any(text.startswith("There are no ratings (out=x.png: no renderer") for text in reader.texts)


def test_latest_is_the_run_that_saved_last(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "qwop").mkdir(parents=True)
    folder.rename(tmp_path / "runs" / "qwop" / "last")
    out = league.report(league.ReportSettings("latest", "page.html", matches=0))
    assert str(out) == "page.html" and "qwop: last" in out.read_text()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"run": None}, "run=None: must be given"),
        ({"run": "nowhere"}, "run=nowhere: is no run's folder: it holds no config.yaml"),
        ({"run": "x", "matches": -1}, "matches=-1: must be at least 0"),
        ({"run": "x", "members": 1}, "members=1: must be at least 2"),
        ({"out": "/dev/null/here/page.html"}, "out=/dev/null/here: cannot write there"),
    ],
)
def test_bad_input_is_named(folder, wrong, message):
    with pytest.raises(SettingError, match=re.escape(message)):
        report(ReportSettings(**({"run": str(folder), "matches": 0} | wrong)))


@pytest.mark.slow
def test_a_report_plays_what_is_missing(tmp_path):
    game, run = Path(__file__).resolve().parents[3] / "examples" / "ball_sumo.py", tmp_path / "run"
    arguments = [f"game_file={game}", "physics=native", "num_arenas=8", "ppo.horizon=4", "iterations=2", "devices=1"]
    league.train(league.compose([*arguments, "league.player_pool_length=3", f"run_dir={run}", "logger.console=false"]))
    page = league.report(league.ReportSettings(str(run), matches=2, members=2)).read_text()
    assert "A tournament of 2 matches" in page and page.count("data:image/png") >= 2
    written = (run / "evaluation" / "ladder.json").stat().st_mtime_ns
    league.report(league.ReportSettings(str(run), matches=2, members=2))
    assert (run / "evaluation" / "ladder.json").stat().st_mtime_ns == written
