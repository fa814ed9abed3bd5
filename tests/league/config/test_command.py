import re
from pathlib import Path

import pytest
import yaml

from league.config.command import run_script
from league.config.compose import compose, to_mapping
from league.run.checkpoints import CheckpointError
from league.run.loop import RunError
from mjx_arena.validation import SettingError

CONF = Path(__file__).resolve().parents[3] / "conf"


@pytest.fixture
def call(monkeypatch, capsys):
    """Runs a script with arguments; returns its status, stdout and stderr."""

    def run(main, *arguments):
        monkeypatch.setattr("sys.argv", ["scripts/train.py", *arguments])
        with pytest.raises(SystemExit) as end:
            run_script(main, "Does something.", CONF, examples=("train.py seed=1",))
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run


def raising(error):
    def main(overrides):
        raise error

    return main


def test_the_status_of_main_is_the_status_of_the_script(call):
    assert call(lambda overrides: len(overrides), "a=1", "b=2") == (2, "", "")


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


def test_ctrl_c_ends_quietly(call):
    assert call(raising(KeyboardInterrupt())) == (130, "", "")


def test_defects_keep_their_traceback(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py"])
    with pytest.raises(ZeroDivisionError):
        run_script(raising(ZeroDivisionError()), "Does something.", CONF)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_groups_keys_and_examples(call, flag):
    status, out, err = call(pytest.fail, flag)
    assert status == 0 and err == ""
    assert "usage: train.py" in out and "Does something." in out and "train.py seed=1" in out
    assert re.search(r"\n  task=  .*\bhumanoid_duel\b", out) and "  # matches that run side by side" in out


def test_cfg_prints_every_key(call):
    status, out, _ = call(pytest.fail, "--cfg", "job", "num_arenas=8")
    assert status == 0
    assert yaml.safe_load(out) == yaml.safe_load(yaml.safe_dump(to_mapping(compose(["num_arenas=8"], CONF))))
