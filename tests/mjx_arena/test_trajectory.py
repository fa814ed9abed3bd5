"""Recorded episodes: saved, loaded back, and replayed in MuJoCo in C."""

import dataclasses
import inspect
import textwrap

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

import mjx_arena
from mjx_arena.physics import ModelSettings, PhysicsSettings
from mjx_arena.trajectory import Film, replay_error, save

STEPS = 20
LONG = 200


@pytest.fixture(scope="module")
def arena():
    # A solver that converges ends in the same place from a keyframe, where it begins cold.
    physics = PhysicsSettings(engine="native", model=ModelSettings(iterations=100, ls_iterations=50))
    return mjx_arena.make("humanoid_pose", physics, push_speed=(0.0, 0.0))


def record(arena, steps):
    """A film of random actions, half of the most that the motors can do."""
    rng, step = np.random.default_rng(0), jax.jit(arena.step)
    state, seen = jax.jit(arena.reset)(jax.random.key(0))
    rows = []
    for _ in range(steps + 1):
        action = jnp.asarray(rng.uniform(-0.5, 0.5, (arena.num_agents, arena.action.size)), jnp.float32)
        physics, ctrl = state.physics, arena.controls(state, action)
        rows.append((physics.qpos, physics.qvel, physics.act, physics.warmstart, ctrl, seen.reward, seen.metrics))
        state, seen = step(state, action)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
    return Film(np.arange(steps + 1) * arena.control_dt, *stacked)


@pytest.fixture(scope="module")
def film(arena):
    return record(arena, STEPS)


@pytest.fixture(scope="module")
def duel():
    """A match with the 2 iterations of the solver that the task trains with, which end where they began, or nearly."""
    arena = mjx_arena.make("humanoid_duel", "native", drill_share=0.0, shadow_share=0.0)
    assert arena.mj_model.opt.iterations == 2
    return arena


@pytest.fixture(scope="module")
def match(duel):
    return record(duel, LONG)


def test_a_saved_model_replays_in_mujoco(arena, film, tmp_path):
    save(tmp_path / "film.xml", film, arena.mj_spec, arena.mj_model, "native")
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "film.xml"))
    keys = [key for key in range(model.nkey) if model.key(key).name.startswith("step")]
    assert len(keys) == STEPS + 1
    np.testing.assert_allclose(model.key_time[keys], np.arange(STEPS + 1) * 0.015, rtol=1e-6)  # 3 engine steps of 5 ms
    data, substeps = mujoco.MjData(model), round(arena.control_dt / model.opt.timestep)
    for key, following in zip(keys[:-1], keys[1:], strict=True):
        mujoco.mj_resetDataKeyframe(model, data, key)
        mujoco.mj_step(model, data, substeps)
        np.testing.assert_allclose(data.qpos, model.key_qpos[following], atol=1e-5)
        np.testing.assert_allclose(data.qvel, model.key_qvel[following], atol=2e-3)
        assert data.time == pytest.approx(model.key_time[following])


def test_the_whole_episode_replays_from_its_first_state_and_controls(arena, film, tmp_path):
    save(tmp_path / "film.xml", film, arena.mj_spec, arena.mj_model, "native")
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "film.xml"))
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = film.qpos[0], film.qvel[0]
    for step in range(STEPS):
        data.ctrl[:] = film.ctrl[step]
        mujoco.mj_step(model, data, 3)
        np.testing.assert_allclose(data.qpos, film.qpos[step + 1], atol=1e-3)


def test_every_state_of_a_match_replays_in_mujoco_and_would_not_without_its_warm_start(duel, match):
    assert replay_error(duel.mj_model, match).max() < 1e-6
    cold = dataclasses.replace(match, qacc_warmstart=np.zeros_like(match.qacc_warmstart))
    assert replay_error(duel.mj_model, cold).max() > 0.01


def test_the_script_that_is_documented_replays_a_whole_match(duel, match, tmp_path, monkeypatch, capsys):
    save(tmp_path / "film.npz", match, duel.mj_spec, duel.mj_model, "native")
    monkeypatch.chdir(tmp_path)
    lines = inspect.getdoc(save).splitlines()
    start = lines.index("    import mujoco")
    end = next(number for number in range(start, len(lines)) if lines[number] and not lines[number].startswith("    "))
    exec(textwrap.dedent("\n".join(lines[start:end])), {})
    printed = np.array([line.split() for line in capsys.readouterr().out.splitlines()], float)
    np.testing.assert_allclose(printed[:, 0], match.time[1:])
    assert len(printed) == LONG and printed[:, 1].max() < 1e-6


def test_steps_in_which_a_task_does_more_than_control_are_told(tmp_path):
    # Its pushes: one every 20 control steps, the first after 10.
    pushed = mjx_arena.make("humanoid_pose", "native", push_speed=(0.5, 0.5), push_interval=20)
    film = record(pushed, STEPS)
    error = save(tmp_path / "film.npz", film, pushed.mj_spec, pushed.mj_model, "native")
    assert error.argmax() == 10 and error[10] > 1e-3 and np.delete(error, 10).max() < 1e-6
    with np.load(tmp_path / "film.npz") as saved:
        np.testing.assert_array_equal(saved["replay_error"], error)


def test_arrays_are_saved_as_they_are_with_what_a_replay_needs(arena, film, tmp_path):
    save(tmp_path / "film.npz", film, arena.mj_spec, arena.mj_model, "native")
    with np.load(tmp_path / "film.npz") as saved:
        for name in ("time", "qpos", "qvel", "act", "qacc_warmstart", "ctrl", "reward"):
            np.testing.assert_array_equal(saved[name], getattr(film, name))
        np.testing.assert_array_equal(saved["metrics/pose/height"], film.qpos[:, 2])
        assert saved["control_dt"] == pytest.approx(0.015) and saved["timestep"] == 0.005 and saved["substeps"] == 3
        assert str(saved["engine"]) == "native" and str(saved["mujoco"]) == mujoco.__version__
        assert len(saved["joint_names"]) == arena.mj_model.njnt and len(saved["actuator_names"]) == 21
        model = mujoco.MjModel.from_binary_path("film.mjb", {"film.mjb": saved["model"].tobytes()})
    np.testing.assert_array_equal(model.body_inertia, arena.mj_model.body_inertia)


def test_a_saved_model_says_that_it_does_not_replay_and_how_far_it_is_off(duel, match, tmp_path):
    error = save(tmp_path / "film.xml", match, duel.mj_spec, duel.mj_model, "native")
    text = (tmp_path / "film.xml").read_text()
    note = text[: text.index("<mujoco")]
    assert "do not replay the episode" in note and ".npz" in note
    assert "200 control steps of 0.02 s, each of\n  2 engine steps, played on the engine native" in note
    assert f"up to {error.max():.2g} in qpos" in note and error.max() > 0.01
    assert mujoco.MjModel.from_xml_string(text).nkey == LONG + 1


def test_a_saved_model_has_the_options_that_were_played_with(tmp_path):
    # What is drawn of this task is another model than what is played.
    settings = PhysicsSettings(engine="native", model=ModelSettings(iterations=7, ls_iterations=9))
    qwop = mjx_arena.make("qwop", settings)
    model, rows = qwop.physics.model, np.zeros((2, 1))
    film = Film(
        time=np.array([0, qwop.control_dt]),
        qpos=np.tile(model.qpos0, (2, 1)),
        qvel=np.zeros((2, model.nv)),
        act=np.zeros((2, 0)),
        qacc_warmstart=np.zeros((2, model.nv)),
        ctrl=np.zeros((2, model.nu)),
        reward=rows,
        metrics={},
    )
    save(tmp_path / "film.xml", film, qwop.mj_spec, model, "native")
    saved = mujoco.MjModel.from_xml_path(str(tmp_path / "film.xml"))
    assert (saved.opt.iterations, saved.opt.ls_iterations) == (7, 9) and saved.opt.timestep == model.opt.timestep
    assert qwop.mj_spec.option.iterations != 7  # the arena's own is left as it was


@pytest.mark.parametrize("name", ["film.npz", "film.xml"])
def test_a_trajectory_that_cannot_be_written_leaves_what_was_there(arena, film, tmp_path, monkeypatch, name):
    def full(*_, **__):
        raise OSError("no space left")

    path = tmp_path / name
    path.write_bytes(b"an older one")
    monkeypatch.setattr(np, "savez_compressed", full)
    monkeypatch.setattr(type(path), "write_text", full)
    with pytest.raises(OSError, match="no space left"):
        save(path, film, arena.mj_spec, arena.mj_model, "native")
    assert [file.name for file in tmp_path.iterdir()] == [name] and path.read_bytes() == b"an older one"
