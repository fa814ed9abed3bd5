"""The rules of the duel, its starts and its exercises, in states that are known, and then on MJX."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from still_duel import IDLE, STANDING, make_duel, stand, start

import mjx_arena
from mjx_arena import PhysicsSettings, SettingError, check_arena
from mjx_arena.physics import ModelSettings
from mjx_arena.physics.mjx import MjxPhysics
from mjx_arena.tasks.humanoid_duel import body as duelist
from mjx_arena.tasks.humanoid_duel.arena import HumanoidDuelSettings, RewardWeights

DEFAULTS = HumanoidDuelSettings()


@pytest.fixture(scope="module")
def duel():
    """Without exercises."""
    return make_duel(drill_share=0.0, shadow_share=0.0)


@pytest.fixture(scope="module")
def drill():
    """Nothing but drills."""
    return make_duel(drill_share=1.0, shadow_share=0.0)


@pytest.mark.parametrize("contacts", [True, False])
def test_agents_touch_each_other_only_if_they_are_to(contacts):
    duel = make_duel(agent_contacts=contacts)
    model, data = duel.mj_model, mujoco.MjData(duel.mj_model)
    data.qpos[:] = stand(positions=((0, 0), (0.1, 0))).reshape(-1)
    mujoco.mj_fwdPosition(model, data)
    between = [(data.contact.geom != model.geom("floor").id).all(1)]
    assert np.any(between) == contacts


def test_the_control_step_lasts_as_long_whatever_the_substeps():
    assert make_duel(substeps=4).control_dt == pytest.approx(make_duel().control_dt)
    assert make_duel(substeps=4).mj_model.opt.timestep == pytest.approx(make_duel().control_dt / 4)


def test_another_time_step_of_the_engine_makes_another_control_step():
    finer = mjx_arena.make("humanoid_duel", PhysicsSettings(model=ModelSettings(timestep=0.004)))
    assert finer.control_dt == pytest.approx(0.008)


# Starts.


@pytest.fixture(scope="module")
def starts(duel):
    state, timestep = jax.jit(jax.vmap(duel.reset))(jax.random.split(jax.random.key(0), 400))
    return jax.tree.map(np.asarray, (state.physics, timestep))


def test_duels_start_within_the_settings(starts, duel):
    torsos = starts[0].qpos.reshape(-1, 2, 11)
    gap = torsos[:, 1, :3] - torsos[:, 0, :3]
    low, high = DEFAULTS.start_distance
    assert low <= gap[:, 0].min() < low + 0.1 * (high - low) and high - 0.1 * (high - low) < gap[:, 0].max() <= high
    np.testing.assert_allclose(gap[:, 1:], 0)
    np.testing.assert_allclose(torsos[:, :, 2], STANDING)
    yaw = 2 * np.arctan2(torsos[:, :, 6], torsos[:, :, 3]) - [0, np.pi]
    assert 0.9 * DEFAULTS.start_yaw < np.abs(yaw).max() <= DEFAULTS.start_yaw + 1e-5
    limits = duel.mj_model.jnt_range[duel.mj_model.jnt_limited.astype(bool)][:4]
    assert (torsos[:, :, 7:] >= limits[:, 0]).all() and (torsos[:, :, 7:] <= limits[:, 1]).all()
    assert 0 < np.abs(torsos[:, :, 7:]).max() <= DEFAULTS.start_noise
    assert 0 < np.abs(starts[0].qvel).max() <= DEFAULTS.start_noise


def test_soles_start_no_deeper_in_the_floor_than_bent_knees_press_them(starts, duel):
    model = duel.mj_model
    reach = max(abs(model.geom(f"red/{sole}").pos[0]) for sole in duelist.SOLES)
    data = mujoco.MjData(model)
    for qpos in starts[0].qpos:
        data.qpos[:] = qpos
        mujoco.mj_fwdPosition(model, data)
        assert data.contact.dist.min() > -reach * DEFAULTS.start_noise
        assert (data.contact.geom == model.geom("floor").id).any(1).all(), "agents must not start in each other"


def test_duels_are_rated_and_start_with_both_alive_and_nothing_won(starts):
    timestep = starts[1]
    assert timestep.alive.all() and timestep.rated.all()
    assert (timestep.reward == 0).all() and (timestep.outcome == 0).all()
    assert not timestep.terminated.any() and not timestep.truncated.any()


# The rules.

HIGH, LOW = DEFAULTS.fall_height + 1e-3, DEFAULTS.fall_height - 1e-3


@pytest.fixture(scope="module")
def play(duel):
    return jax.jit(duel.step)


@pytest.mark.parametrize(
    ("heights", "outcome"),
    [((LOW, HIGH), [-1, 1]), ((HIGH, LOW), [1, -1]), ((LOW, LOW), [0, 0])],
    ids=["red falls", "blue falls", "both fall"],
)
def test_a_fall_decides_the_match(duel, play, heights, outcome):
    _, timestep = play(start(duel, stand(heights)), IDLE)
    assert bool(timestep.terminated) and not bool(timestep.truncated) and bool(timestep.rated)
    np.testing.assert_array_equal(timestep.outcome, outcome)


def test_the_match_goes_on_while_both_stand(duel, play):
    state, timestep = play(start(duel, stand((HIGH, HIGH)), step_count=7), IDLE)
    assert not bool(timestep.terminated) and not bool(timestep.truncated)
    assert (timestep.outcome == 0).all() and timestep.alive.all()
    assert state.step_count == 8


@pytest.mark.parametrize(("before", "truncated"), [(2, False), (1, True), (0, True)])
def test_the_time_limit_makes_a_draw(duel, play, before, truncated):
    _, timestep = play(start(duel, stand(), step_count=duel.settings.time_limit - before), IDLE)
    assert bool(timestep.truncated) == truncated and not bool(timestep.terminated)
    assert (timestep.outcome == 0).all()


def test_a_fall_in_the_last_step_still_decides(duel, play):
    _, timestep = play(start(duel, stand((LOW, HIGH)), step_count=duel.settings.time_limit - 1), IDLE)
    assert bool(timestep.terminated) and not bool(timestep.truncated)
    np.testing.assert_array_equal(timestep.outcome, [-1, 1])


# Drills.


def test_the_shares_of_exercises_are_as_set_and_either_agent_can_be_the_dummy():
    duel = make_duel(drill_share=0.3, shadow_share=0.2)
    state, timestep = jax.jit(jax.vmap(duel.reset))(jax.random.split(jax.random.key(1), 1000))
    drill, held = np.asarray(state.memory.drill), np.asarray(state.memory.held)
    assert drill.mean() == pytest.approx(0.3, abs=0.06)
    np.testing.assert_array_equal(held.sum(1), drill)
    assert held[drill].mean(0) == pytest.approx([0.5, 0.5], abs=0.15)
    np.testing.assert_array_equal(timestep.alive, ~held)
    shadow = np.asarray(state.memory.shadow)
    assert shadow.mean() == pytest.approx(0.2, abs=0.05)
    assert not (drill & shadow).any()
    np.testing.assert_array_equal(timestep.rated, ~drill & ~shadow)


@pytest.fixture(scope="module")
def drills(drill):
    """Fresh drills: `(state, timestep)`, 64 of each."""
    return jax.jit(jax.vmap(drill.reset))(jax.random.split(jax.random.key(2), 64))


def test_drills_start_at_their_distance_with_a_dummy_at_rest(drills):
    physics, held = drills[0].physics, np.asarray(drills[0].memory.held)
    torsos, speeds = physics.qpos.reshape(-1, 2, 11), physics.qvel.reshape(-1, 2, 10)
    np.testing.assert_allclose(torsos[:, 1, 0] - torsos[:, 0, 0], DEFAULTS.drill_distance, rtol=1e-6)
    assert (torsos[held][:, 7:] == 0).all() and (speeds[held] == 0).all()
    assert (torsos[~held][:, 7:] != 0).all() and (speeds[~held] != 0).all()


def test_a_dummy_does_not_move_whatever_the_physics_does_to_it(drills):
    shoved = make_duel(drill_share=1.0, shadow_share=0.0)
    shoved.physics.shift = 0.5
    state, _ = jax.jit(jax.vmap(shoved.step))(drills[0], jnp.ones((64, 2, 4)))
    held = np.asarray(state.memory.held)
    before, after = drills[0].physics.qpos.reshape(-1, 2, 11), state.physics.qpos.reshape(-1, 2, 11)
    np.testing.assert_array_equal(after[held], before[held])
    assert (state.physics.qvel.reshape(-1, 2, 10)[held] == 0).all()
    np.testing.assert_allclose(after[~held], before[~held] + 0.5, rtol=1e-6)


@pytest.fixture(scope="module")
def play_drill(drill):
    return jax.jit(drill.step)


@pytest.mark.parametrize("dummy", [0, 1])
def test_a_dummy_never_loses_and_its_drill_is_not_rated(drill, play_drill, dummy):
    held = np.arange(2) == dummy
    _, alone = play_drill(start(drill, stand(np.where(held, LOW, HIGH)), drill=True, held=held), IDLE)
    assert not bool(alone.terminated) and (alone.outcome == 0).all()
    _, timestep = play_drill(start(drill, stand(np.where(held, HIGH, LOW)), drill=True, held=held), IDLE)
    assert bool(timestep.terminated) and not bool(timestep.rated)
    np.testing.assert_array_equal(timestep.alive, ~held)
    np.testing.assert_array_equal(timestep.outcome, np.where(held, 1, -1))


@pytest.mark.parametrize(("before", "truncated"), [(2, False), (1, True)])
def test_drills_have_their_own_time_limit(drill, play_drill, before, truncated):
    count = drill.settings.drill_time_limit - before
    _, timestep = play_drill(start(drill, stand(), drill=True, held=(True, False), step_count=count), IDLE)
    assert bool(timestep.truncated) == truncated


@pytest.fixture(scope="module")
def kicks(drill, drills):
    """Speeds `[steps, 64, 2, 10]` that each step of three kick intervals added, and who was held."""

    def step(state, _):
        after, _ = jax.vmap(drill.step)(state, jnp.zeros((64, 2, 4)))
        return after, after.physics.qvel - state.physics.qvel

    steps = 3 * drill.settings.kick_interval
    _, added = jax.jit(lambda state: jax.lax.scan(step, state, None, steps))(drills[0])
    return np.asarray(added).reshape(steps, 64, 2, 10), np.asarray(drills[0].memory.held)


def test_kicks_come_once_an_interval(kicks, drill):
    added, held = kicks
    kicked = np.abs(added[:, ~held]).max(-1) > 0
    np.testing.assert_array_equal(kicked.all(1), kicked.any(1))
    times = np.flatnonzero(kicked.all(1))
    assert len(times) == 3 and (np.diff(times) == drill.settings.kick_interval).all()


def test_kicks_push_the_learner_alone_horizontally_within_the_range_in_every_direction(kicks, drill):
    added, held = kicks
    assert (added[:, held] == 0).all()
    assert (added[..., 2:] == 0).all()
    pushes = added[:, ~held][np.abs(added[:, ~held]).max((1, 2)) > 0].reshape(-1, 10)[:, :2]
    speeds, (low, high) = np.linalg.norm(pushes, axis=1), drill.settings.drill_kick
    margin = 0.1 * (high - low)
    assert low - 1e-4 <= speeds.min() < low + margin and high - margin < speeds.max() <= high + 1e-4
    quadrants = np.unique((pushes > 0).astype(int) @ [1, 2], return_counts=True)[1]
    assert len(quadrants) == 4 and quadrants.min() > 0.1 * len(pushes)


def test_no_two_kicks_are_alike(kicks):
    added, held = kicks
    pushes = added[:, ~held][np.abs(added[:, ~held]).max((1, 2)) > 0]
    assert len(np.unique(pushes[..., 0])) == pushes.shape[0] * pushes.shape[1]


def test_a_match_kicks_nobody(duel, play):
    count = duel.settings.kick_interval // 2
    state, _ = play(start(duel, stand(), step_count=count), IDLE)
    assert (np.asarray(state.physics.qvel) == 0).all()


# Settings.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fall_height": duelist.LOWEST_FALL_HEIGHT - 0.01}, "task.fall_height="),
        ({"fall_height": STANDING}, "task.fall_height="),
        ({"time_limit": 0}, "task.time_limit=0: must be at least 1"),
        ({"substeps": 0}, "task.substeps=0: must be at least 1"),
        ({"kick_interval": 0}, "task.kick_interval=0"),
        ({"start_noise": -0.1}, "task.start_noise=-0.1: must not be negative"),
        ({"start_distance": (1.0, 0.5)}, "task.start_distance="),
        ({"drill_kick": (-1.0, 0.5)}, "task.drill_kick="),
        ({"drill_share": 1.1}, "task.drill_share=1.1: must lie between 0 and 1"),
        ({"drill_share": 0.6, "shadow_share": 0.6}, "task.shadow_share=0.6: drills and shadow matches exceed"),
        ({"reward": RewardWeights(time=-1.0)}, "task.reward.time=-1.0: weights must not be negative"),
        ({"gravity": 1}, "task.gravity=1: there is no such setting; choose of agent_contacts"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(changes, message):
    with pytest.raises(SettingError, match=message):
        mjx_arena.make("humanoid_duel", **changes)


def test_an_unknown_task_is_refused_with_those_there_are():
    with pytest.raises(SettingError, match="task=chess: there is no such task; choose one of .*humanoid_duel"):
        mjx_arena.make("chess")


# On MJX.


@pytest.fixture(scope="module")
def arena():
    return mjx_arena.make("humanoid_duel")


@pytest.mark.slow
def test_the_duel_on_mjx_is_a_sound_arena(arena):
    assert isinstance(arena.physics, MjxPhysics)
    check_arena(arena)


def test_in_a_shadow_match_the_agents_pass_through_each_other(arena):
    step = jax.jit(arena.step)

    def sideways(**kind):
        """Speed that a step gives two torsos which overlap by 4 cm."""
        state, timestep = step(start(arena, stand(positions=((0, 0), (0.2, 0))), **kind), IDLE)
        return np.abs(state.physics.qvel.reshape(2, 10)[:, 0]).max(), timestep

    (pushed, match), (passed, shadow) = sideways(), sideways(shadow=True)
    assert pushed > 0.1 > 10 * passed
    assert match.rated and not shadow.rated
    assert match.alive.all() and shadow.alive.all()
