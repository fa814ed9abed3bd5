"""The game: what cars may do, see and are paid for, how matches begin and end."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mjx_arena
from mjx_arena import SettingError, check_arena
from mjx_arena.physics import PhysicsSettings
from mjx_arena.tasks.car_soccer.arena import CarSoccerSettings, SoccerPhase, actions, boost, car, rewards, starts
from mjx_arena.tasks.car_soccer.rewards import Play
from mjx_arena.tasks.car_soccer.units import METRE
from mjx_arena.types import Progress

NATIVE = PhysicsSettings(engine="native")
IDLE = jnp.full(2, actions.IDLE)


@functools.cache
def make(**settings):
    return mjx_arena.make("car_soccer", NATIVE, **settings)


@functools.cache
def program(name, **settings):
    return jax.jit(getattr(make(**settings), name))


def at_kickoff(**changes):
    state, _ = program("reset")(jax.random.key(0))
    return state.replace(**changes)


def moved(state, body, position=None, velocity=None, quat=None):
    """With a body, 0 the ball, somewhere else; lengths in uu."""
    qpos, qvel = state.physics.qpos.reshape(-1, 7), state.physics.qvel.reshape(-1, 6)
    if position is not None:
        qpos = qpos.at[body, :3].set(jnp.array(position) * METRE)
    if quat is not None:
        qpos = qpos.at[body, 3:].set(jnp.array(quat))
    qvel = qvel.at[body].set(0)
    if velocity is not None:
        qvel = qvel.at[body, :3].set(jnp.array(velocity) * METRE)
    return state.replace(physics=state.physics.replace(qpos=qpos.reshape(-1), qvel=qvel.reshape(-1)))


def row(**controls):
    """The row of the table with these controls and no others."""
    wanted = np.array([controls.get(name, 0) for name in actions.NAMES], np.float32)
    return int(np.flatnonzero((wanted == actions.TABLE).all(1))[0])


@pytest.mark.slow
def test_check_arena_passes():
    check_arena(make(), num_steps=24)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"team_size": 2}, {"actions": "continuous", "frames": 3, "sticky_keys": 3}])
def test_check_arena_passes_in_other_settings(settings):
    check_arena(make(**settings), num_steps=16)


@pytest.mark.slow
def test_check_arena_passes_with_mjx():
    check_arena(mjx_arena.make("car_soccer", PhysicsSettings(engine="mjx")), num_steps=8)


def test_the_table_is_the_one_of_rlgym():
    assert actions.TABLE.shape == (90, 8) and len(np.unique(actions.TABLE, axis=0)) == 90
    for name in ("steer", "pitch", "yaw", "roll"):
        assert np.unique(actions.TABLE[:, actions.NAMES.index(name)]).tolist() == [-1, 0, 1]
    assert not actions.TABLE[actions.IDLE].any()


def test_what_is_legal_follows_the_state():
    ground = car.fresh(50.0)
    legal = np.asarray(actions.legal(ground))
    assert legal[row(throttle=1, steer=1, yaw=1)] and legal[row(jump=1)] and legal[row(throttle=-1, handbrake=1)]
    assert not legal[row(pitch=1)]
    flying = ground.replace(on_ground=jnp.bool_(False), jumped=jnp.bool_(True))
    legal = np.asarray(actions.legal(flying))
    assert legal[row(pitch=1)] and legal[row(jump=1, pitch=-1, handbrake=1)] and not legal[row(handbrake=1)]
    spent = np.asarray(actions.legal(flying.replace(dodged=jnp.bool_(True))))
    assert not spent[row(jump=1)] and spent[row(pitch=1)]
    roof = flying.replace(dodged=jnp.bool_(True), hull_touches=jnp.bool_(True))
    assert actions.legal(roof)[row(jump=1)]
    np.testing.assert_array_equal(actions.chosen(jnp.int32(row(jump=1)), flying.replace(dodged=jnp.bool_(True))), 0)


def test_sticky_keys_stay_pressed():
    jump, left = jnp.zeros(8).at[5].set(1), jnp.zeros(3, jnp.int32)
    pressed = []
    for values in (jump, jnp.zeros(8), jnp.zeros(8), jnp.zeros(8)):
        values, left = actions.held(values, left, 3)
        pressed.append(bool(values[5]))
    assert pressed == [True, True, True, False]
    values, left = actions.held(jump, jnp.zeros(3, jnp.int32), 0)
    assert values[5] and not actions.held(jnp.zeros(8), left, 0)[0][5]


@pytest.mark.parametrize(("y", "blue"), [(5300, 1), (-5300, -1)])
def test_a_goal_ends_the_match_for_the_team_that_attacks_it(y, blue):
    _, seen = program("step")(moved(at_kickoff(), 0, [0, y, 300]), IDLE)
    assert bool(seen.terminated) and seen.outcome.tolist() == [blue, -blue]
    assert seen.reward.tolist() == [blue, -blue]  # goal and concede count 1 each


def test_without_touches_a_match_is_a_draw():
    state = at_kickoff()
    for untouched, over in ((223, False), (224, True)):
        memory = state.memory.replace(untouched=jnp.int32(untouched))
        _, seen = program("step")(state.replace(memory=memory), IDLE)
        assert bool(seen.truncated) == over and not bool(seen.terminated) and seen.outcome.tolist() == [0, 0]
    _, seen = program("step")(state.replace(step_count=jnp.int32(4499)), IDLE)
    assert bool(seen.truncated)


def test_who_drives_into_the_ball_touches_it():
    state = moved(moved(at_kickoff(), 0, [0, 0, 91.25]), 1, [0, -260, 17.0], [0, 900.0, 0], [0.5**0.5, 0, 0, 0.5**0.5])
    after, seen = program("step")(state, jnp.array([row(throttle=1), actions.IDLE]))
    after, seen = program("step")(after, jnp.array([row(throttle=1), actions.IDLE]))
    assert int(after.memory.untouched) == 0 and int(after.memory.first_touch) in (1, 2)
    assert after.physics.qvel[1] > 10  # m/s: faster than the car


def test_what_a_car_sees_does_not_depend_on_the_time_limit():
    state, _ = program("reset")(jax.random.key(0))
    _, short = program("step", time_limit=75)(state.replace(step_count=jnp.int32(30)), IDLE)
    _, long = program("step")(state.replace(step_count=jnp.int32(30)), IDLE)
    np.testing.assert_array_equal(short.observation, long.observation)
    assert not np.array_equal(long.observation, program("step")(state, IDLE)[1].observation)


def test_a_phase_may_end_its_matches_sooner_and_with_the_first_touch():
    game = SoccerPhase("Game", starts={"kickoff": 1.0})
    drill = SoccerPhase("Drill", starts={"kickoff": 1.0}, time_limit=90, until_touch=True)
    arena = mjx_arena.make("car_soccer", NATIVE, phases=(drill, game))
    step = jax.jit(arena.step)
    state, _ = jax.jit(arena.reset)(jax.random.key(0))
    assert int(state.memory.phase) == 1  # without a run around it, it is the game that all phases lead to
    meets = moved(state, 0, [0, 0, 91.25])
    meets = moved(meets, 1, [0, -200, 17.0], [0, 900.0, 0], [0.5**0.5, 0, 0, 0.5**0.5])
    for phase, ends in ((0, True), (1, False)):
        progress = Progress(jnp.float32(0), jnp.int32(phase))
        _, seen = step(arena.progressed(meets, progress), IDLE)
        assert bool(seen.terminated) == ends and seen.outcome.tolist() == [0, 0]
        _, seen = step(arena.progressed(state.replace(step_count=jnp.int32(89)), progress), IDLE)
        assert bool(seen.truncated) == ends and not bool(seen.terminated)


@pytest.mark.slow
def test_a_supersonic_car_demolishes_an_opponent_who_comes_back_in_its_half():
    settings = {"demolitions": True, "no_touch_limit": 1000}
    state, _ = program("reset", **settings)(jax.random.key(0))
    facing = [0.5**0.5, 0, 0, 0.5**0.5]
    state = moved(
        moved(state, 1, [1000, -500, 17.03], [0, 2250.0, 0], facing), 2, [1000, -300, 17.03], [0, 0, 0.0], facing
    )
    supersonic = state.memory.world.cars.replace(supersonic=jnp.array([True, False]))
    state = state.replace(memory=state.memory.replace(world=state.memory.world.replace(cars=supersonic)))
    gone = []
    for _ in range(50):
        state, seen = program("step", **settings)(state, IDLE)
        gone.append(float(state.memory.world.cars.respawn[1]))
    out = np.flatnonzero(gone)
    assert len(out) * 8 / 120 == pytest.approx(3, abs=0.1) and gone[-1] == 0
    place = np.asarray(state.physics.qpos).reshape(3, 7)[2, :3] / METRE
    np.testing.assert_allclose(place, [2304, 4608, 17], atol=30)
    assert float(state.memory.world.cars.boost[1]) == pytest.approx(boost.AT_KICKOFF)


def test_both_teams_see_the_same_in_mirrored_places():
    state, seen = program("reset")(jax.random.key(4))
    np.testing.assert_allclose(seen.observation[0], seen.observation[1], atol=1e-5)


def test_a_car_on_its_roof_counts_as_recovered_once_it_stands():
    over = [0.0, 1.0, 0.0, 0.0]
    state = moved(at_kickoff(), 1, [0, -2000, 39.5], quat=over)
    state, _ = program("step")(state, IDLE)
    assert int(state.memory.on_roof[0]) == 1 and state.memory.on_roof[1] == 0
    jump = jnp.array([row(jump=1), actions.IDLE])
    for step in range(30):
        state, _ = program("step")(state, jump if step < 2 else IDLE)
        if int(state.memory.on_roof[0]) == 0:
            break
    recovered, failed, steps = state.memory.turtles.tolist()
    assert (recovered, failed) == (1, 0) and 2 < steps <= 30


def test_starts_are_where_they_should_be():
    for name, start in (starts.MATCHES | starts.DRILLS).items():
        found = jax.vmap(lambda key, start=start: start(key, 4))(jax.random.split(jax.random.key(0), 64))
        position = np.asarray(found.position)
        assert position.shape == (64, 5, 3) and np.isfinite(position).all(), name
        assert (np.abs(position[..., 0]) < 4000).all() and (np.abs(position[..., 1]) < 5000).all()
        assert (position[:, 0, 2] >= 91.25).all() and (position[:, 1:, 2] >= 17).all()
        np.testing.assert_allclose(np.linalg.norm(found.quat, axis=-1), 1, atol=1e-5)
    found = jax.vmap(lambda key: starts.kickoff(key, 4))(jax.random.split(jax.random.key(0), 64))
    np.testing.assert_allclose(found.position[:, 1:3, :2], -found.position[:, 3:, :2], atol=1e-3)
    assert not np.allclose(found.position[:, 1], found.position[:, 2])


def test_shares_decide_how_matches_begin():
    shares = jnp.array([0.0, 0.5, 0.25, 0.25, 0, 0, 0])
    which = jax.vmap(lambda key: starts.draw(key, 2, shares)[1])(jax.random.split(jax.random.key(0), 512))
    np.testing.assert_allclose(np.bincount(which, minlength=7) / 512, shares, atol=0.08)


def test_phases_change_what_is_paid_and_how_matches_begin_without_another_program():
    phases = (
        SoccerPhase("One", rewards={"air": 1.0}, starts={"kickoff": 1.0}),
        SoccerPhase("Two", rewards={"save_boost": 2.0}, starts={"random": 1.0}, drill_share=1.0),
    )
    arena = mjx_arena.make("car_soccer", NATIVE, phases=phases)
    reset, step = jax.jit(arena.reset), jax.jit(arena.step)
    state, _ = reset(jax.random.key(0), jnp.int32(0))
    second = arena.progressed(state, Progress(jnp.float32(0), jnp.int32(1)))
    rewards_of = [step(x, IDLE)[1] for x in (state, second)]
    assert rewards_of[0].reward.tolist() == [0, 0]
    np.testing.assert_allclose(rewards_of[1].reward, 2 * np.sqrt(boost.AT_KICKOFF / 100), rtol=1e-3)
    drill, seen = reset(jax.random.key(0), jnp.int32(1))
    assert bool(drill.memory.is_drill) and not bool(seen.rated) and bool(rewards_of[0].rated)
    assert step._cache_size() == 1 and reset._cache_size() == 1


@pytest.fixture
def play():
    """A step at kick-off in which nothing happens, seen by the first car."""
    state = at_kickoff()
    scene = jax.tree.map(lambda x: x[0], make()._look(state))
    nothing = jnp.float32(0)
    return Play(scene, scene, touched=nothing > 0, scored=nothing, since_jump=jnp.int32(1000))


def with_ball(scene, **changes):
    return scene.replace(ball=scene.ball.replace(**{name: jnp.array(value) for name, value in changes.items()}))


def test_terms_by_hand(play):
    after = with_ball(play.after, velocity=[0, 3000.0, 0], position=[0, 0, 321.3875])
    hit = play.replace(after=after, touched=jnp.bool_(True))
    assert float(rewards.hit(hit)) == 1 and float(rewards.hit(play)) == 0
    assert float(rewards.ball_to_goal(hit)) == pytest.approx(0.5, abs=1e-3)
    assert float(rewards.own_goal(hit)) == 0
    back = play.replace(after=with_ball(after, velocity=[0, -3000.0, 0]))
    assert float(rewards.own_goal(back)) == pytest.approx(-0.5, abs=1e-3)
    assert float(rewards.shot(back)) == 0
    scene = play.after
    here = scene.replace(
        body=scene.body.replace(position=jnp.array([0, -1000.0, 93.15]), velocity=jnp.array([0, 1150.0, 0]))
    )
    here = here.replace(body=here.body.replace(rotation=jnp.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]])))
    here = play.replace(after=with_ball(here, position=[0, 0, 93.15]))
    assert float(rewards.speed(here)) == pytest.approx(0.5) and float(rewards.face(here)) == pytest.approx(1)
    assert float(rewards.near_ball(here)) == pytest.approx(np.exp(-0.5 * (1000 - 91.25) / 2300), rel=1e-4)
    roof = here.replace(
        after=here.after.replace(body=here.after.body.replace(rotation=jnp.diag(jnp.array([1.0, -1, -1]))))
    )
    assert float(rewards.bad_orientation(roof)) == pytest.approx(-0.3)
    assert float(rewards.concede(play.replace(scored=jnp.float32(-1)))) == -1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"team_size": 0}, r"task.team_size=0: must be 1 to 4"),
        ({"observe": ("ball", "sky")}, r"task.observe=.*: must be of ball, self"),
        (
            {"phases": (SoccerPhase("A", rewards={"gaol": 1.0}, starts={"random": 1.0}),)},
            r"task.phases\[0\].rewards.gaol",
        ),
        ({"phases": (SoccerPhase("A B", starts={"random": 1.0}),)}, r"task.phases\[0\].name=A B: must be a word"),
        (
            {"phases": (SoccerPhase("A", starts={"random": 1.0}, time_limit=0),)},
            r"task.phases\[0\].time_limit=0: must be at",
        ),
        ({"phases": (SoccerPhase("A"),)}, r"task.phases\[0\].starts=\{\}: shares must not be negative, and one"),
        ({"start": "moon"}, r"task.start=moon: must be one of kickoff, random"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(settings, message):
    with pytest.raises(SettingError, match=message):
        CarSoccerSettings(**settings).validate()
