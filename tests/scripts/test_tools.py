"""The scripts that look at a run, as a person runs them, on one run of two iterations."""

import json
import os
import subprocess
import sys
from pathlib import Path

import imageio.v3 as imageio
import mujoco
import pytest

from mjx_arena.registry import build, settings_type
from mjx_arena.render import RenderError, render

ROOT = Path(__file__).resolve().parents[2]
DEVICES = os.environ.get("MJX_ARENA_TEST_DEVICES", "1")
TINY = (
    *("num_arenas=8", "ppo.horizon=4", "league.player_pool_length=3", "iterations=2", f"devices={DEVICES}"),
    *("logger.dump_steps=0", "physics=native"),
)
NO_DISPLAY = {"MUJOCO_GL": "glfw", "DISPLAY": ""}


@pytest.fixture(scope="module")
def script(environment):
    """Runs a script with arguments; returns its status, stdout and stderr. A traceback is never right."""

    def run(name, *arguments, **variables):
        command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, env=environment | variables)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture(scope="module")
def run(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tools") / "run"
    status, _, error = script("train", *TINY, f"run_dir={folder}", "checkpoint_interval=1")
    assert status == 0, error
    return folder


def test_evaluate_scores_each_pairing_and_writes_them_as_json(script, run, tmp_path):
    out = tmp_path / "scores"
    pairings = "pairings=[untrained,mirror_replayed]"  # one as in the run, one with shorter steps
    status, text, error = script("evaluate", f"run={run}", "matches=8", pairings, f"out={out}")
    assert status == 0, error
    assert "untrained" in text and "mirror" in text and "balance" not in text
    result = json.loads((out / "scores.json").read_text())
    assert result["iteration"] == 2
    assert set(result["scores"]) == {"untrained", "mirror_replayed"}
    for score in result["scores"].values():
        assert score["matches"] == 8
        assert score["wins"] + score["draws"] + score["losses"] == pytest.approx(1)
        assert 1 < score["mean_length"] <= 1000


def test_evaluate_rates_a_run_s_past_in_a_table_a_file_and_two_pictures(script, run, tmp_path):
    out = tmp_path / "ladder"
    status, text, error = script("evaluate", f"run={run}", "matches=4", f"out={out}")
    assert status == 0, error
    assert "humanoid_duel" in text and "untrained" in text and "vs Nash" in text and "12 matches, 0 of them" in text
    ladder = json.loads((out / "ladder.json").read_text())
    members = ladder["members"]
    assert [member["iteration"] for member in members] == [0, 1, 2] and ladder["matches"] == 12
    assert all(member["rating_low"] <= member["rating"] <= member["rating_high"] for member in members)
    assert sum(member["nash_weight"] for member in members) == pytest.approx(1)
    assert [sum(cell) for cell in ladder["results"][0]] == [0, 4, 4]
    for picture in ("ladder.png", "payoff.png"):
        assert imageio.imread(out / picture).std() > 0


@pytest.fixture
def policy(script, run, tmp_path):
    file = tmp_path / "policies" / "champion.npz"
    file.parent.mkdir()
    status, text, error = script("export", f"run={run}", f"out={file}")
    assert status == 0 and "humanoid_duel, iteration 2" in text, error
    return file


@pytest.mark.slow
def test_an_exported_policy_is_evaluated_without_its_run(script, run, policy, tmp_path):
    out = tmp_path / "out"
    runs = f"runs=[{policy.parent},{run}]"
    status, text, error = script("evaluate", runs, "members=2", "matches=2", f"out={out}")
    assert status == 0 and "champion" in text, error


@pytest.mark.slow
def test_an_exported_policy_is_exploited_without_its_run(script, policy, tmp_path):
    out = tmp_path / "out"
    arguments = ("exploit=true", "budget=1", "matches=8", f"out={out}")
    status, text, error = script("evaluate", f"run={policy}", *arguments)
    assert status == 0 and "at least" in text, error
    found = json.loads((out / "exploit.json").read_text())
    assert (
        found["iterations"] == 1 and -1 <= found["interval"][0] <= found["exploitability"] <= found["interval"][1] <= 1
    )


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("evaluate", (), "run=None: give run, or runs"),
        ("evaluate", ("run={run}", "runs=[{run}]"), "give run, or runs, and not both"),
        ("evaluate", ("run={run}", "members=1"), "members=1: must be at least 2"),
        ("evaluate", ("runs=[{run}]", "exploit=true"), "exploit=True: goes with run"),
        ("evaluate", ("run={run}", "out=/dev/null/here"), "out=/dev/null/here: cannot write there"),
        ("evaluate", ("run={run}/config.npz",), "config.npz cannot be read as a policy"),
        ("evaluate", ("run=policy.npz", "checkpoint=2"), "checkpoint=2: policy.npz holds one policy"),
        ("evaluate", ("run={run}", "exploit=true", "pairings=[all]"), "exploit=True: leave out pairings"),
        ("evaluate", ("run={run}", "physics=bullet"), "physics.engine=bullet: must be one of mjx"),
        ("export", ("run={run}", "out=policy.zip"), "out=policy.zip: must end in .npz"),
        ("export", ("run=nowhere",), "run=nowhere: is no run's folder"),
        ("evaluate", ("run=nowhere",), "run=nowhere"),
        ("evaluate", ("run={run}", "pairings=[nobody]"), "pairings=nobody: choose from untrained"),
        ("evaluate", ("run={run}", "matches=0"), "matches=0"),
        ("evaluate", ("run={run}", "num_arenas=8"), "num_arenas=8: there is no such key"),
        ("record", ("run={run}", "out=match.gif"), "out=match.gif: must end in .mp4 or .png or .html"),
        ("record", ("run={run}", "width=1281"), "width=1281: must be an even number of pixels from 64 to 4096"),
        ("record", ("run={run}", "height=32"), "height=32: must be an even number of pixels from 64 to 4096"),
        ("record", ("run={run}", "fps=0"), "fps=0: must lie between 1 and 240"),
        ("plot", ("runs=[nowhere]",), "runs=nowhere"),
        ("plot", ("runs=[{run}]", "keys=[nothing]"), "keys=nothing"),
        ("benchmark", ("rounds=0",), "rounds=0"),
        ("benchmark", ("num_arenas=0",), "num_arenas=0"),
    ],
)
def test_bad_input_ends_with_one_message_that_names_the_key(called, run, name, arguments, expected):
    status, _, error = called(name, *(argument.format(run=run) for argument in arguments))
    assert status == 2
    assert error.startswith("error: ") and expected in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["evaluate", "record"])
def test_the_script_itself_says_no_more_than_that(script, name):
    status, text, error = script(name)
    assert (status, text) == (2, "")
    assert error.startswith("error: run=None: ") and len(error.strip().splitlines()) == 1


def test_plot_draws_a_picture(script, run, tmp_path):
    out = tmp_path / "curves.png"
    status, _, error = script("plot", f"runs=[{run}]", f"out={out}", "keys=[entropy,kl]", "smoothing=1")
    assert status == 0, error
    assert imageio.imread(out).std() > 0


def test_record_makes_a_strip_of_stills(script, run, tmp_path):
    arena = build(settings_type("humanoid_duel")(), _physics())
    try:
        next(render(arena.mj_model, [arena.mj_model.qpos0], 32, 32))
    except RenderError as error:
        pytest.skip(str(error))
    out = tmp_path / "match.png"
    status, text, error = script("record", f"run={run}", f"out={out}", "stills=3")
    assert status == 0, error
    assert "1 episodes" in text
    picture = imageio.imread(out)
    assert picture.shape == (320, 960, 3)
    assert picture.std() > 10


def test_record_makes_a_page_without_a_renderer(script, run, tmp_path):
    out = tmp_path / "match.html"
    status, text, error = script("record", f"run={run}", f"out={out}", "episodes=2", "seconds=1", **NO_DISPLAY)
    assert status == 0 and f"wrote {out}: 2 episodes" in text, error
    page = out.read_text()
    assert "iteration 2" in page and "reward/upright" in page and len(page) < 2**20


def test_without_a_renderer_record_says_what_to_install_and_still_saves_the_trajectory(script, run, tmp_path):
    trajectory, out = tmp_path / "film.xml", tmp_path / "film.mp4"
    status, text, error = script("record", f"run={run}", f"out={out}", f"trajectory={trajectory}", **NO_DISPLAY)
    assert status == 2 and error.startswith(f"error: out={out}: no renderer works here") and "install EGL" in error
    assert len(error.splitlines()) == 1 and not out.exists()
    model = mujoco.MjModel.from_xml_path(str(trajectory))
    assert f"wrote {trajectory}: {model.nkey} states" in text and "misses the next by" in text and model.nkey > 2


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("record", (), "MUJOCO_GL=foo: no pictures with that; set it to egl, osmesa or glfw, or unset it\n"),
        ("record", ("out=null", "trajectory=film.npz"), "run=nowhere: is no run's folder"),  # so it got that far
        ("record", ("out=match.html",), "run=nowhere: is no run's folder"),
        ("evaluate", (), "run=nowhere: is no run's folder"),
    ],
)
def test_only_pictures_need_a_platform_that_mujoco_can_draw_on(script, name, arguments, expected):
    status, _, error = script(name, "run=nowhere", *arguments, MUJOCO_GL="foo")
    assert status == 2 and error.startswith(f"error: {expected}") and error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("keys", [(f"devices={DEVICES}",), ("task=qwop", "physics=native")])
def test_benchmark_reports_every_figure(script, tmp_path, keys):
    out = tmp_path / "benchmark.json"
    status, text, error = script("benchmark", "num_arenas=64", *keys, "rounds=1", f"out={out}")
    assert status == 0, error
    figures = json.loads(out.read_text())
    for name in (
        "compile_seconds",
        "physics_steps_per_second",
        "arena_steps_per_second",
        "train_arena_steps_per_second",
        "rollout_seconds",
        "update_seconds",
        "peak_memory_bytes",
    ):
        assert figures[name] > 0
    assert figures["arena_steps_per_second"] < figures["physics_steps_per_second"]
    assert figures["machine"]["jax"]
    assert "arena steps" in text


def _physics():
    from mjx_arena.physics import PhysicsSettings

    return PhysicsSettings()
