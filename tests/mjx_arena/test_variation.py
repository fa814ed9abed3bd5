"""Domain randomisation: what a match draws, against models that are compiled so and actions that are given so."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from engines import ENGINES, build

import mjx_arena
from mjx_arena import SettingError, check_arena
from mjx_arena.physics import ModelSettings, PhysicsSettings
from mjx_arena.randomize import RandomizeSettings

EVERYTHING = {
    "mass": (0.8, 1.2),
    "friction": (0.6, 1.4),
    "motor_strength": (0.8, 1.2),
    "delay": (0, 2),
    "push": (0.2, 0.5),
    "push_interval": 8,
}


def made(game, engine="native", **ranges):
    contest = {"drill_share": 0, "shadow_share": 0} if game == "humanoid_duel" else {}
    return mjx_arena.make(game, engine, randomize=ranges, **contest)


def states(arena, count=64, seed=0):
    return jax.jit(jax.vmap(arena.reset))(jax.random.split(jax.random.key(seed), count))[0]


@pytest.mark.parametrize("game", ["humanoid_duel", "ant_sumo", "qwop"])
def test_a_heavier_body_is_the_model_that_is_compiled_heavier(game):
    arena = made(game, mass=(1.5, 1.5))
    spec = arena.mj_spec.copy()
    for geom in spec.geoms:
        geom.mass, geom.density = 1.5 * geom.mass, 1.5 * geom.density
    for body in spec.bodies:
        if body.explicitinertial:
            body.mass, body.inertia, body.fullinertia = 1.5 * body.mass, 1.5 * body.inertia, 1.5 * body.fullinertia
    for joint in spec.joints:
        joint.armature *= 1.5
    heavier = spec.compile()
    fields = states(arena, 1).physics.fields
    assert "body_mass" in fields and "dof_invweight0" in fields
    for name, value in fields.items():
        np.testing.assert_allclose(value[0], getattr(heavier, name), rtol=2e-5, err_msg=name)
    assert heavier.body_mass.sum() > 1.4 * arena.mj_model.body_mass.sum()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_match_s_own_fields_reach_the_engine(engine):
    build(engine, made("humanoid_duel").mj_model)  # or skips
    converged = PhysicsSettings(engine.name, model=ModelSettings(iterations=100, ls_iterations=50))
    arena = made("humanoid_duel", converged, mass=(1.3, 1.3), friction=(0.5, 0.5), motor_strength=(0.7, 0.7))
    state, action = jax.tree.map(lambda x: x[0], states(arena, 1)), jnp.full((2, 4), 0.6)
    model = arena.mj_model
    for name, value in state.physics.fields.items():
        getattr(model, name)[:] = value
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = state.physics.qpos, state.physics.qvel, 0.6
    step = jax.jit(arena.step)
    for _ in range(10):
        state, _ = step(state, action)
        mujoco.mj_step(model, data, 2)
    assert np.abs(data.qvel).max() > 0.1
    np.testing.assert_allclose(state.physics.qpos, data.qpos, atol=2e-3)


def test_matches_draw_within_their_ranges_and_agents_share_what_is_drawn():
    arena = made("humanoid_duel", **EVERYTHING)
    drawn = states(arena, 256)
    plain = arena.mj_model
    factor = np.asarray(drawn.physics.fields["body_mass"][:, 1:]) / plain.body_mass[1:]
    assert (factor.std(1) < 1e-5).all() and 0.8 <= factor.min() < 0.83 and 1.17 < factor.max() <= 1.2001
    friction = np.asarray(drawn.physics.fields["pair_friction"]) / plain.pair_friction
    assert abs(np.corrcoef(factor[:, 0], friction[:, 0, 0])[0, 1]) < 0.2
    assert set(np.asarray(drawn.variation.delay)) == {0, 1, 2}
    size = np.linalg.norm(drawn.variation.pushes, axis=-1)
    assert size.min() >= 0.2 and size.max() <= 0.5 and abs(np.asarray(drawn.variation.pushes).mean()) < 0.02


@pytest.mark.parametrize("game", ["humanoid_duel", "car_soccer"])
def test_late_actions_are_the_same_actions_later(game):
    late, arena = made(game, delay=(2, 2)), mjx_arena.make(game, "native")
    state = jax.tree.map(lambda x: x[0], states(late, 1))
    prompt = state.replace(variation=None)
    keys = jax.random.split(jax.random.key(1), 6)
    actions = [arena.action.sample(key, (arena.num_agents,)) for key in keys]
    idle = jnp.broadcast_to(arena.idle_action, actions[0].shape)
    for given, played in zip(actions, [idle, idle, *actions], strict=False):
        state, seen = jax.jit(late.step)(state, given)
        prompt, expected = jax.jit(arena.step)(prompt, played)
        np.testing.assert_allclose(seen.observation, expected.observation, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("game", ["humanoid_duel", "ant_battle", "qwop", "humanoid_pose"])
def test_pushes_come_at_their_time_and_change_the_velocity_of_the_root(game):
    arena = made(game, push=(0.5, 0.5), push_interval=8)
    state = jax.tree.map(lambda x: x[0], states(arena, 1))
    unpushed = state.replace(variation=state.variation.replace(pushes=0 * state.variation.pushes))
    action = jnp.broadcast_to(arena.idle_action, (arena.num_agents, *arena.idle_action.shape))
    step = jax.jit(arena.step)
    for count in range(6):
        before = np.asarray(state.physics.qvel)
        state, _ = step(state, action)
        unpushed, _ = step(unpushed, action)
        same = np.array_equal(state.physics.qpos, unpushed.physics.qpos)
        assert same == (count < 4)
    assert np.isfinite(before).all()


def test_without_ranges_nothing_differs():
    assert RandomizeSettings().changes == () and RandomizeSettings(push_interval=3).changes == ()
    arena = mjx_arena.make("humanoid_duel", "native")
    assert type(arena) is mjx_arena.registry.arena_type("humanoid_duel")
    state = states(arena, 1)
    assert state.variation is None and state.physics.fields is None


@pytest.mark.parametrize("game", ["humanoid_duel", "ant_battle"])
def test_a_game_that_varies_passes_all_checks(game):
    check_arena(made(game, **EVERYTHING), num_steps=24)


@pytest.mark.parametrize(
    ("game", "ranges", "message"),
    [
        ("humanoid_duel", {"mass": (0.0, 1.0)}, "task.randomize.mass=(0.0, 1.0): must be [low, high], 0 < low <= high"),
        ("humanoid_duel", {"delay": (2, 1)}, "task.randomize.delay"),
        ("humanoid_duel", {"push_interval": 0}, "task.randomize.push_interval=0: must be at least 1"),
        ("car_soccer", {"mass": (0.9, 1.1)}, "task.randomize.mass=(0.9, 1.1): car_soccer can vary delay alone"),
        ("qwop", {"gravity": (0.9, 1.1)}, "task.randomize.gravity"),
    ],
)
def test_ranges_that_cannot_work_are_named(game, ranges, message):
    with pytest.raises(SettingError) as error:
        made(game, **ranges)
    assert str(error.value).startswith(message)
