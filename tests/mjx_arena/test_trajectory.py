"""Recorded episodes: saved, loaded back, and replayed in MuJoCo in C."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

import mjx_arena
from mjx_arena.physics import ModelSettings, PhysicsSettings
from mjx_arena.render import RenderError, render
from mjx_arena.trajectory import Film, save

STEPS = 20


@pytest.fixture(scope="module")
def arena():
    # A solver that converges ends in the same place from a keyframe, where it begins cold.
    physics = PhysicsSettings(engine="native", model=ModelSettings(iterations=100, ls_iterations=50))
    return mjx_arena.make("humanoid_pose", physics, push_speed=(0.0, 0.0))


@pytest.fixture(scope="module")
def film(arena):
    """Of random actions."""
    rng, step = np.random.default_rng(0), jax.jit(arena.step)
    state, seen = jax.jit(arena.reset)(jax.random.key(0))
    rows = []
    for _ in range(STEPS + 1):
        action = jnp.asarray(rng.uniform(-0.5, 0.5, (1, 21)), jnp.float32)
        rows.append((state.physics.qpos, state.physics.qvel, arena.controls(state, action), seen.reward, seen.metrics))
        state, seen = step(state, action)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
    return Film(np.arange(STEPS + 1) * arena.control_dt, *stacked)


def test_a_saved_model_replays_in_mujoco(arena, film, tmp_path):
    save(tmp_path / "film.xml", film, arena.mj_spec)
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
    save(tmp_path / "film.xml", film, arena.mj_spec)
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "film.xml"))
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = film.qpos[0], film.qvel[0]
    for step in range(STEPS):
        data.ctrl[:] = film.ctrl[step]
        mujoco.mj_step(model, data, 3)
        np.testing.assert_allclose(data.qpos, film.qpos[step + 1], atol=1e-3)


def test_arrays_are_saved_as_they_are(film, tmp_path):
    save(tmp_path / "film.npz", film, None)
    with np.load(tmp_path / "film.npz") as saved:
        for name in ("time", "qpos", "qvel", "ctrl", "reward"):
            np.testing.assert_array_equal(saved[name], getattr(film, name))
        np.testing.assert_array_equal(saved["metrics/pose/height"], film.qpos[:, 2])


def test_a_caption_has_a_value_for_every_name(film):
    names, values = (text.split("\n") for text in film.caption(2, [("red", "iteration 5")])[:2])
    assert len(names) == len(values)
    shown = dict(zip(names, values, strict=True))
    assert shown["red"] == "iteration 5" and shown["time"] == "0.03 s"
    assert shown["return"] == f"{film.reward[1:3].sum():.1f}"
    assert shown["height"] == f"{film.metrics['reward/height'][2]:+.3f}"


def test_captions_are_drawn_into_the_picture(arena, film):
    try:
        plain = next(render(arena.mj_model, film.qpos[:1]))
    except RenderError as error:
        pytest.skip(str(error))
    written = next(render(arena.mj_model, film.qpos[:1], captions=[film.caption(0)]))
    changed = (plain != written).any(-1)
    assert changed[:100, :150].mean() > 0.3 and not changed[300:, 300:].any()


def test_keys_that_are_held_are_lit(arena, film):
    length = len(film.time)
    held = {"key/Q": np.arange(length) % 2, "key/O": np.zeros(length)}
    film = Film(**film._asdict() | {"metrics": film.metrics | held})
    assert film.caption(1, keys="QO").keys == (("Q", True), ("O", False)) and not film.caption(2).keys
    try:
        free, lit = (
            next(render(arena.mj_model, film.qpos[:1], captions=[film.caption(step, keys="QO")])) for step in (2, 1)
        )
    except RenderError as error:
        pytest.skip(str(error))
    changed = np.argwhere((free[300:] != lit[300:]).any(-1))
    assert len(changed) > 500 and np.ptp(changed[:, 1]) < 50  # one key of two
