"""The figures that the comparison draws from a trainer's progress, and the arena that all of them get."""

import jax
import numpy as np
import peers
import pytest

from mjx_arena import PhysicsSettings, check_arena

PROGRESS = [
    {"seconds": 20.0, "arena_steps": 1000, "episode_return": None},
    {"seconds": 24.0, "arena_steps": 2000, "episode_return": 30.0},
    {"seconds": 26.0, "arena_steps": 3000, "episode_return": 80.0},
    {"seconds": 28.0, "arena_steps": 4000, "episode_return": 70.0},
]


def test_speed_leaves_the_first_updates_out():
    assert peers.speed(PROGRESS) == 2000 / 4


def test_start_up_is_what_the_first_updates_took_beyond_their_share():
    assert peers.start_up(PROGRESS) == 24 - 2000 / 500


@pytest.mark.parametrize(("goal", "seconds"), [(30, 24.0), (50, 26.0), (81, None)])
def test_time_to_a_return_is_that_of_the_first_update_that_reaches_it(goal, seconds):
    assert peers.time_to(goal, PROGRESS) == seconds


@pytest.fixture(scope="module")
def stand():
    return pytest.importorskip("stand", reason="needs the extra peers")


def test_the_arena_keeps_the_contract(stand):
    check_arena(stand.Stand(stand.StandSettings(), PhysicsSettings(engine="native")))


def test_both_forms_of_the_arena_give_the_same_observations_rewards_and_ends(stand):
    """Up to what the C engine makes of float32 instead of float64 states, on the way from standing to the floor."""
    arena = stand.Stand(stand.StandSettings(), PhysicsSettings(engine="native"))
    environment = stand.StandEnv()
    environment.reset(seed=0)
    state, _ = arena.reset(jax.random.key(0))
    qpos, qvel = environment._data.qpos.astype(np.float32), environment._data.qvel.astype(np.float32)
    state = state.replace(physics=state.physics.replace(qpos=jax.numpy.array(qpos), qvel=jax.numpy.array(qvel)))
    step, rng = jax.jit(arena.step), np.random.default_rng(0)
    for _ in range(5):
        action = rng.uniform(-1.5, 1.5, stand.CONTROLS).astype(np.float32)
        state, timestep = step(state, action[None])
        observation, reward, terminated, truncated, _ = environment.step(action)
        np.testing.assert_allclose(timestep.observation[0], observation, atol=2e-3)
        assert timestep.reward[0] == pytest.approx(reward, abs=1e-4)
        assert (bool(timestep.terminated), bool(timestep.truncated)) == (terminated, truncated)
