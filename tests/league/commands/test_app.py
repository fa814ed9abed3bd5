import re
from types import SimpleNamespace

import pytest
import yaml

from league.commands import app
from league.config.compose import compose, to_mapping
from league.run.checkpoints import CheckpointError
from league.run.loop import RunError
from mjx_arena.validation import SettingError

TAKEN = []


@pytest.fixture
def call(called, monkeypatch, tmp_path):
    """Runs a command whose function is replaced; returns its status, stdout and stderr."""

    def run(function, *arguments, name="train"):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(f"league.commands.{name}.run", function)
        return called(name, *arguments)

    return run


def taking(settings, written):
    TAKEN.append(SimpleNamespace(settings=settings, written=written))
    return settings.seed


def raising(error):
    def run(settings, written):
        raise error

    return run


def test_a_command_gets_its_settings_and_what_was_typed(call, tmp_path):
    assert call(taking, "num_arenas=8", "run_dir=runs/exp (1)") == (0, "", "")
    settings, written = vars(TAKEN.pop()).values()
    assert settings == compose(["num_arenas=8", "run_dir=runs/exp (1)"])
    assert {key: override.text for key, override in written.items()} == {"num_arenas": "8", "run_dir": "'runs/exp (1)'"}
    assert list(tmp_path.iterdir()) == []  # Hydra leaves no folder of its own


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SettingError("num_arenas", 0, "must be at least 1"), 2),
        (CheckpointError("checkpoint 5 is damaged"), 2),
        (RunError("no update has been finite"), 1),
    ],
)
def test_expected_errors_end_with_one_line_and_a_status(call, error, status):
    assert call(raising(error)) == (status, "", f"error: {error}\n")


def test_bad_settings_end_before_anything_runs(call):
    status, out, err = call(pytest.fail, "ppo.horizn=3")
    assert (status, out, err) == (2, "", "error: ppo.horizn=3: there is no such key; did you mean ppo.horizon?\n")


def test_a_sweep_is_checked_as_a_whole_before_it_begins(call, tmp_path):
    status, out, err = call(pytest.fail, "-m", "num_arenas=8,16,0")
    assert (status, out) == (2, "") and err == "error: num_arenas=0: must be at least 1\n"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_quietly(call):
    assert call(raising(KeyboardInterrupt())) == (130, "", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_groups_keys_and_examples(call, flag):
    status, out, err = call(pytest.fail, flag)
    assert status == 0 and err == ""
    assert "usage: train.py" in out and "resume=latest" in out
    assert re.search(r"\n  task=  .*\bhumanoid_duel\b", out) and "  # matches that run side by side" in out


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_key_of_every_help_is_one_that_the_command_takes(call, name):
    _, out, _ = call(pytest.fail, "--help", name=name)
    keys = re.findall(r"^  (\w+): ([^#\n]+?)(?:  #.*)?$", out, re.MULTILINE)
    assert len(keys) >= 3
    given = [] if name in ("train", "benchmark") else [f"{key}={value}" for key, value in keys]
    status, _, err = call(lambda settings, written: None, *given, name=name)
    assert (status, err) == (0, "")


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_key_of_every_help_is_explained(call, name):
    _, out, _ = call(pytest.fail, "--help", name=name)
    keys = re.findall(r"^  \w+: .*$", out, re.MULTILINE)
    assert keys and [line for line in keys if "  # " not in line] == []


def test_cfg_prints_every_key(call):
    status, out, _ = call(pytest.fail, "--cfg", "job", "num_arenas=8")
    assert status == 0
    assert yaml.safe_load(out) == yaml.safe_load(yaml.safe_dump(to_mapping(compose(["num_arenas=8"]))))


def test_cfg_of_another_command_shows_its_own_keys(call):
    status, out, _ = call(pytest.fail, "--cfg", "job", "run=x", name="evaluate")
    assert status == 0 and yaml.safe_load(out)["run"] == "x" and "ppo" not in yaml.safe_load(out)


def test_a_folder_of_own_choices_is_found(call, tmp_path):
    (tmp_path / "own" / "ppo").mkdir(parents=True)
    (tmp_path / "own" / "ppo" / "slow.yaml").write_text("defaults: [default, _self_]\nlearning_rate: 1e-5\n")
    assert call(taking, "--config-dir", str(tmp_path / "own"), "ppo=slow")[0] == 0
    assert TAKEN.pop().settings.ppo.learning_rate == 1e-5


def test_one_failed_run_of_a_sweep_leaves_the_others(call, tmp_path):
    def run(settings, written):
        if settings.seed == 1:
            raise RunError("no update has been finite")
        return taking(settings, written)

    status, out, _ = call(run, "-m", "seed=0,1,2", "hydra.sweep.dir=sweep")
    assert status == 0 and [each.settings.seed for each in TAKEN] == [0, 2]
    assert TAKEN[1].settings.run_dir.endswith("sweep/seed=2")
    TAKEN.clear()
    assert "no update has been finite" in out and "3 runs in sweep" in out
    rows = (tmp_path / "sweep" / "sweep.csv").read_text().splitlines()
    assert len(rows) == 4 and "problem" in rows[0]
