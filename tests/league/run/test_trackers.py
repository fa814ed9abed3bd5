"""What trackers are told; those whose packages are here, in their modes without a network."""

import json
import math
import threading
import time

import pytest
from train_runs import wait_until

from league.config.compose import compose
from league.run import trackers
from league.run.trackers import open_trackers
from league.settings import LoggerSettings
from mjx_arena.validation import SettingError

PARAMETERS = {"seed": 3, "ppo": {"gamma": 0.99, "actor_hidden": [16, 16]}}


class Fake:
    """Keeps what it is told; a class for each test."""

    def __init__(self, run):
        self.opened.append(run)
        self.identity, self.place = run.identity or f"id-{len(self.opened)}", "here"

    def log(self, row):
        self.rows.append(row)

    def finish(self, ending):
        self.endings.append(ending)


@pytest.fixture
def fake(monkeypatch):
    kind = type("FreshFake", (Fake,), {"opened": [], "rows": [], "endings": []})
    monkeypatch.setitem(trackers._KINDS, "wandb", kind)
    return kind


def row(iteration, **metrics):
    return {"iteration": iteration, "arena_steps": 100 * iteration, **metrics}


def track(folder, rows, *names, resumed=False, parameters=PARAMETERS, **settings):
    """Sends rows as a run does; returns what it prints."""
    messages, settings = [], LoggerSettings(trackers=names or ("wandb",), **settings)
    with open_trackers(folder, settings, parameters, resumed, messages.append) as opened:
        for each in rows:
            opened.write(each)
    return messages


def test_a_tracker_gets_the_settings_the_finite_numbers_and_the_end(tmp_path, fake):
    messages = track(tmp_path / "..", [row(1, loss=0.5, empty=math.nan), row(2, loss=math.inf)])
    (run,) = fake.opened
    assert (run.project, run.name, run.axis) == ("mjx-arena", tmp_path.parent.name, "arena_steps")
    assert run.parameters == PARAMETERS and run.identity is None
    assert fake.rows == [row(1, loss=0.5), row(2)] and fake.endings == ["finished"]
    assert messages == ["tracked by wandb: here"]


def test_a_resumed_run_goes_on_under_its_name_and_a_new_one_does_not(tmp_path, fake):
    track(tmp_path, [])
    track(tmp_path, [], resumed=True)
    track(tmp_path, [], tracker_run="mine")
    assert [run.identity for run in fake.opened] == [None, "id-1", None]
    assert [run.name for run in fake.opened] == [tmp_path.name, tmp_path.name, "mine"]
    assert json.loads((tmp_path / "trackers.json").read_text()) == {"wandb": "id-3"}


def test_signals_and_errors_end_it_as_such(tmp_path, fake):
    with open_trackers(tmp_path, LoggerSettings(trackers=("wandb",)), {}, False, print) as opened:
        opened.stopped = True
    with (
        pytest.raises(KeyboardInterrupt),
        open_trackers(tmp_path, LoggerSettings(trackers=("wandb",)), {}, False, print),
    ):
        raise KeyboardInterrupt
    assert fake.endings == ["stopped", "failed"]


@pytest.mark.parametrize("where", ["__init__", "log", "finish"])
def test_a_tracker_that_fails_is_one_warning(tmp_path, fake, monkeypatch, where):
    def fail(*_):
        raise ConnectionError("no network\nand more")

    monkeypatch.setattr(fake, where, fail)
    messages = track(tmp_path, [row(1), row(2)])
    assert [text for text in messages if "warning" in text] == [
        "warning: wandb gets nothing more: no network; training goes on"
    ]


def test_a_tracker_that_never_answers_keeps_nobody(tmp_path, fake, monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(fake, "log", lambda *_: answered.wait())
    monkeypatch.setattr(trackers, "_PATIENCE", 0.05)
    monkeypatch.setattr(trackers, "_WAITING_ROWS", 2)
    messages = track(tmp_path, [row(1)])
    assert messages[-1].startswith("warning: wandb gets nothing more: it did not take everything within")
    messages = track(tmp_path, [row(n) for n in range(9)])
    assert [text for text in messages if "warning" in text] == [
        "warning: wandb gets nothing more: 2 rows wait for it; training goes on"
    ]
    answered.set()


def test_wrong_settings_are_named_before_anything_runs(monkeypatch):
    for text, message in (
        ("logger.trackers=[wanb]", r"logger.trackers=.*: must be of wandb, mlflow, trackio"),
        ("logger.trackers=[wandb,wandb]", "must name each once"),
        ("logger.tracker_axis=epochs", "must be one of arena_steps, iteration"),
    ):
        with pytest.raises(SettingError, match=message):
            compose([text])
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"logger.trackers=mlflow: .*pip install 'mjx-arena\[mlflow\]'"):
        trackers.require_installed(("mlflow",))


def test_wandb_without_a_network_keeps_files_of_one_run(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="W&B is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for resumed in (False, True):
        messages = track(tmp_path, [row(1 + resumed, loss=0.25)], resumed=resumed)
        assert len(messages) == 1 and str(tmp_path) in messages[0]
        time.sleep(1)  # W&B names folders by the second
    identity = json.loads((tmp_path / "trackers.json").read_text())["wandb"]
    files = list(tmp_path.glob(f"wandb/offline-run-*-{identity}/run-{identity}.wandb"))
    assert len(files) == 2
    # W&B's own process may still be writing.
    wait_until(lambda: all(b"actor_hidden" in path.read_bytes() for path in files))


def test_mlflow_keeps_one_run_in_a_folder(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # SQLite takes seconds to begin
    track(tmp_path, [row(1, loss=0.25)], "mlflow", tracker_project="games", tracker_run="one")
    changed = PARAMETERS | {"seed": 4}
    track(tmp_path, [row(2, loss=0.5)], "mlflow", resumed=True, parameters=changed, tracker_axis="iteration")

    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("games").experiment_id])
    assert (run.info.run_name, run.info.status) == ("one", "FINISHED")
    assert run.data.params == {"seed": "3", "ppo.gamma": "0.99", "ppo.actor_hidden": "[16, 16]"}
    assert run.data.tags["seed after resuming"] == "4"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(each.step, each.value) for each in history] == [(100, 0.25), (2, 0.5)]


def test_trackio_keeps_one_run_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "store"))  # read when it is imported
    pytest.importorskip("trackio", reason="trackio is not installed")
    from trackio.sqlite_storage import SQLiteStorage

    for resumed in (False, True):
        track(tmp_path, [row(1 + resumed, loss=0.25)], "trackio", resumed=resumed)
    name = json.loads((tmp_path / "trackers.json").read_text())["trackio"]
    assert SQLiteStorage.get_runs("mjx-arena") == [name]
    logs = SQLiteStorage.get_logs("mjx-arena", name)
    assert [(each["step"], each["loss"]) for each in logs] == [(100, 0.25), (200, 0.25)]
    assert SQLiteStorage.get_run_config("mjx-arena", name)["ppo"]["gamma"] == 0.99
