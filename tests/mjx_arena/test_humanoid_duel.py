"""The duel: its body against MuJoCo's C engine, its rules and rewards against numbers worked out by hand.

Most tests replace the engine by one that leaves, shifts or drops the bodies, so that the state a rule judges is known.
"""

import dataclasses

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import mjx_arena
from mjx_arena import PhysicsSettings, SettingError, check_arena
from mjx_arena.bodies import duelist
from mjx_arena.physics.mjx import MjxPhysics
from mjx_arena.tasks import humanoid_duel
from mjx_arena.tasks.humanoid_duel import DuelMemory, HumanoidDuel, HumanoidDuelSettings, RewardWeights
from mjx_arena.types import ArenaState, PhysicsState

TERMS = [field.name for field in dataclasses.fields(RewardWeights)]
NO_REWARD = RewardWeights(**dict.fromkeys(TERMS, 0.0))
DEFAULTS = HumanoidDuelSettings()
AGENTS = ("red", "blue")
STANDING = duelist.STANDING_HEIGHT
IDLE = jnp.zeros((2, 4))


class StillPhysics:
    """An engine in which `shift` is added to every coordinate and speed in a step, nothing by default."""

    shift = 0.0

    def __init__(self, model):
        self.model = model

    def init(self, qpos, qvel, fields=None):
        empty = jnp.zeros(0)
        return PhysicsState(qpos=qpos, qvel=qvel, act=empty, warmstart=jnp.zeros_like(qvel), sensordata=empty)

    def step(self, state, ctrl, n_substeps, applied=None, fields=None):
        return state.replace(qpos=state.qpos + self.shift, qvel=state.qvel + self.shift)


@pytest.fixture(scope="module")
def make_duel():
    """Makes a duel on `StillPhysics` with settings over the defaults."""

    def make(**changes):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(humanoid_duel, "make_physics", lambda model, settings: StillPhysics(model))
            return HumanoidDuel(HumanoidDuelSettings(**changes), PhysicsSettings())

    return make


@pytest.fixture(scope="module")
def duel(make_duel):
    """Without exercises."""
    return make_duel(drill_share=0.0, shadow_share=0.0)


@pytest.fixture(scope="module")
def drill(make_duel):
    """Nothing but drills."""
    return make_duel(drill_share=1.0, shadow_share=0.0)


@pytest.fixture(scope="module")
def body():
    """Model of one duelist without a floor."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    duelist.add_duelist(spec, "one", (1, 1, 1, 1))
    return spec.compile()


@pytest.fixture(scope="module")
def model():
    return mjx_arena.make("humanoid_duel").mj_model


def pose(body, quat=(1, 0, 0, 0), hinges=(0, 0, 0, 0)):
    """`MjData` of the body with its torso's origin at the world's."""
    data = mujoco.MjData(body)
    data.qpos[:] = [0, 0, 0, *quat, *hinges]
    mujoco.mj_kinematics(body, data)
    return data


def lowest(body, data, geoms):
    """Lowest point of capsules and spheres."""
    tilt = np.abs(data.geom_xmat[geoms, 8]) * np.where(
        body.geom_type[geoms] == mujoco.mjtGeom.mjGEOM_CAPSULE, body.geom_size[geoms, 1], 0
    )
    return (data.geom_xpos[geoms, 2] - tilt - body.geom_size[geoms, 0]).min()


def ids(body, names, prefix="one"):
    return [body.geom(f"{prefix}/{name}").id for name in names]


def start(duel, qpos, qvel=None, drill=False, shadow=False, held=(False, False), step_count=0, seed=0):
    """A state with both agents' coordinates `qpos` `[2, 11]` and speeds `qvel` `[2, 10]`."""
    qpos = jnp.reshape(jnp.asarray(qpos, jnp.float32), -1)
    qvel = jnp.zeros(20) if qvel is None else jnp.reshape(jnp.asarray(qvel, jnp.float32), -1)
    memory = DuelMemory(drill=jnp.bool_(drill), shadow=jnp.bool_(shadow), held=jnp.array(held), start_qpos=qpos)
    physics = duel.physics.init(qpos, qvel)
    return ArenaState(physics=physics, key=jax.random.key(seed), step_count=jnp.int32(step_count), memory=memory)


def stand(heights=(STANDING, STANDING), positions=((0, 0), (3, 4)), quats=((1, 0, 0, 0), (1, 0, 0, 0))):
    """Coordinates `[2, 11]`; by default 5 m apart."""
    return np.array([[*p, h, *q, 0, 0, 0, 0] for p, h, q in zip(positions, heights, quats, strict=True)], float)


# The body.


def test_both_bodies_weigh_the_same_and_as_much_as_a_person(model):
    red, blue = (model.body_subtreemass[model.body(f"{name}/torso").id] for name in AGENTS)
    assert red == blue and 40 < red < 100


def test_left_and_right_are_mirror_images(body):
    left = [i for i in range(body.ngeom) if body.geom(i).name.endswith("left")]
    data = pose(body)
    for index in left:
        name = body.geom(index).name
        other = body.geom(name.replace("left", "right")).id
        np.testing.assert_allclose(data.geom_xpos[index] * [1, -1, 1], data.geom_xpos[other], atol=1e-9, err_msg=name)
        np.testing.assert_allclose(body.geom_size[index], body.geom_size[other], err_msg=name)
    for name in ("hip", "knee"):
        left, right = (body.joint(f"one/{name}_{side}") for side in ("left", "right"))
        np.testing.assert_array_equal(left.range, right.range)
        assert body.actuator(f"one/{name}_left").gear[0] == body.actuator(f"one/{name}_right").gear[0]


def test_the_legs_hang_below_the_torso_and_end_in_the_soles(body):
    data = pose(body)
    torso = data.xipos[body.body("one/torso").id, 2]
    for side in ("left", "right"):
        hip, knee = (data.xanchor[body.joint(f"one/{joint}_{side}").id, 2] for joint in ("hip", "knee"))
        soles = data.geom_xpos[ids(body, [s for s in duelist.SOLES if s.endswith(side)]), 2]
        assert torso > hip > knee > soles.max()
    assert lowest(body, data, ids(body, duelist.SOLES)) == pytest.approx(-STANDING)


def test_every_hinge_turns_about_the_pitch_axis_and_is_driven_by_its_own_control(body):
    data = pose(body)
    for index, name in enumerate(duelist.HINGES):
        joint = body.joint(f"one/{name}")
        np.testing.assert_allclose(data.xaxis[joint.id], [0, 1, 0], atol=1e-12)
        assert joint.qposadr[0] == 7 + index and body.actuator_trnid[index, 0] == joint.id
        np.testing.assert_array_equal(body.actuator_ctrlrange[index], [-1, 1])


@pytest.mark.parametrize("side", ["left", "right"])
def test_positive_hips_swing_backwards_and_knees_bend_backwards(body, side):
    anchor, sole = body.joint(f"one/knee_{side}").id, ids(body, [f"toe_{side}"])[0]
    straight = pose(body)
    swung = pose(body, hinges=[0.3 if name == f"hip_{side}" else 0 for name in duelist.HINGES])
    bent = pose(body, hinges=[0.3 if name == f"knee_{side}" else 0 for name in duelist.HINGES])
    assert swung.xanchor[anchor, 0] < straight.xanchor[anchor, 0] - 0.05
    assert bent.geom_xpos[sole, 0] < straight.geom_xpos[sole, 0] - 0.05
    assert bent.geom_xpos[sole, 2] > straight.geom_xpos[sole, 2] - 0.1
    assert body.joint(f"one/knee_{side}").range[0] == 0, "a knee does not bend forwards"


def test_the_hinges_carry_the_body(body):
    """Each motor alone holds more than the weight of the whole body at the reach of a foot."""
    weight = body.body_subtreemass[1] * 9.81
    reach = np.abs(pose(body).geom_xpos[ids(body, duelist.SOLES), 0]).max()
    assert (body.actuator_gear[:, 0] > 0.5 * weight * reach).all()


def test_a_standing_duelist_touches_the_floor_with_all_soles_and_nothing_else(model):
    data = mujoco.MjData(model)
    data.qpos[:] = stand(positions=((-1, 0), (1, 0))).reshape(-1)
    mujoco.mj_fwdPosition(model, data)
    touching = {model.geom(int(geom)).name for pair in data.contact.geom for geom in pair}
    assert touching == {"floor"} | {f"{agent}/{sole}" for agent in AGENTS for sole in duelist.SOLES}
    assert np.abs(data.contact.dist).max() < 1e-6


def test_without_control_it_stands_for_half_a_second(model):
    data = mujoco.MjData(model)
    data.qpos[:] = stand(positions=((-1, 0), (1, 0))).reshape(-1)
    while data.time < 0.5:
        mujoco.mj_step(model, data)
        assert data.contact.dist.min() > -0.005
    torsos = data.qpos.reshape(2, 11)
    np.testing.assert_allclose(torsos[:, 2], STANDING, atol=0.005)
    np.testing.assert_allclose(torsos[:, 7:], 0, atol=0.05)


def test_a_limp_duelist_falls(model):
    data = mujoco.MjData(model)
    data.qpos[:] = stand(positions=((-1, 0), (1, 0))).reshape(-1)
    data.qvel[[0, 10]] = 0.5, -0.5
    mujoco.mj_step(model, data, int(3 / model.opt.timestep))
    assert (data.qpos.reshape(2, 11)[:, 2] < DEFAULTS.fall_height).all()


def test_above_the_lowest_fall_height_only_soles_can_reach_the_floor(body):
    """Among random poses on their lowest sole, and among poses searched for with a limb as low as possible."""
    rng = np.random.default_rng(0)
    low, high = body.jnt_range[1:].T
    soles, others = ids(body, duelist.SOLES), ids(body, (*duelist.LIMBS, "visor"))

    def reach(quat, hinges):
        """How far the other geoms reach below the torso's origin, and the soles."""
        data = pose(body, quat / np.linalg.norm(quat), hinges)
        return -lowest(body, data, others), -lowest(body, data, soles)

    def rate(pose):
        limb, sole = reach(*pose)
        return limb if limb >= sole else -10 * (sole - limb)  # a limb that a sole keeps off the floor does not count

    for _ in range(1000):
        limb, sole = reach(rng.normal(size=4), rng.uniform(low, high))
        if sole > duelist.LOWEST_FALL_HEIGHT:
            assert limb < sole
    best = 0
    for _ in range(8):
        found, step = (np.array([1, 0, 0, 0]) + 0.2 * rng.normal(size=4), high * rng.uniform(0.5, 1, 4)), 0.3
        for _ in range(300):
            tried = (found[0] + step * rng.normal(size=4), np.clip(found[1] + step * rng.normal(size=4), low, high))
            if rate(tried) > rate(found):
                found = tried
            else:
                step *= 0.98
        best = max(best, rate(found))
    assert 0.7 < best < duelist.LOWEST_FALL_HEIGHT


@pytest.mark.parametrize("contacts", [True, False])
def test_agents_touch_each_other_only_if_they_are_to(make_duel, contacts):
    duel = make_duel(agent_contacts=contacts)
    model, data = duel.mj_model, mujoco.MjData(duel.mj_model)
    data.qpos[:] = stand(positions=((0, 0), (0.1, 0))).reshape(-1)
    mujoco.mj_fwdPosition(model, data)
    between = [(data.contact.geom != model.geom("floor").id).all(1)]
    assert np.any(between) == contacts


def test_the_control_step_lasts_as_long_whatever_the_substeps(make_duel):
    assert make_duel(substeps=4).control_dt == pytest.approx(make_duel().control_dt)
    assert make_duel(substeps=4).mj_model.opt.timestep == pytest.approx(make_duel().control_dt / 4)


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


def test_soles_start_no_deeper_in_the_floor_than_bent_knees_press_them(starts, model, body):
    reach = np.abs(pose(body).geom_xpos[ids(body, duelist.SOLES), 0]).max()
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


def test_the_shares_of_exercises_are_as_set_and_either_agent_can_be_the_dummy(make_duel):
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


def test_a_dummy_does_not_move_whatever_the_physics_does_to_it(make_duel, drills):
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


def test_a_match_kicks_both_agents_once_an_interval_within_its_own_range(duel, play):
    low, high = duel.settings.match_kick
    for count in range(duel.settings.kick_interval):
        state, _ = play(start(duel, stand(), step_count=count), IDLE)
        added = np.asarray(state.physics.qvel).reshape(2, 10)
        if count == duel.settings.kick_interval // 2:
            speed = np.linalg.norm(added[:, :2], axis=1)
            assert (low <= speed).all() and (speed > 0).all() and (speed <= high + 1e-4).all()
            added = added[:, 2:]
        assert (added == 0).all()


# Rewards. Red stands at (0, 0), blue at (3, 4); both look along +x.

UPRIGHT = (0.25, 0.5)  # of the way from the fall height to standing
HEIGHTS = [DEFAULTS.fall_height + share * (STANDING - DEFAULTS.fall_height) for share in UPRIGHT]
TILTED = (np.cos(np.pi / 6), np.sin(np.pi / 6), 0, 0)  # rolled by 60 degrees: its up axis leans to z = 0.5
SPEEDS = np.zeros((2, 10))
SPEEDS[0, :3], SPEEDS[1, :3] = (0.3, 0.4, 9), (-0.6, 0.2, -9)
ACTION = jnp.array([[1, -1, 0.5, 0], [0, 0, 3, 0]], jnp.float32)  # 3 is clipped to 1


def reward_of(make_duel, term, qpos, qvel=SPEEDS, action=ACTION, **state):
    """Both agents' reward where `term` alone has a weight, of 1."""
    duel = make_duel(reward=dataclasses.replace(NO_REWARD, **{term: 1.0}))
    _, timestep = duel.step(start(duel, qpos, qvel, **state), action)
    return timestep.reward


HAND_WORKED = {
    "upright": (0.25, 0.5),
    "balance": (1.0, 0.5),
    "opponent_off_balance": (0.5, 0.75),
    "control": (-(1 + 1 + 0.25) / 4, -1 / 4),
    "approach": ((0.3 * 3 + 0.4 * 4) / 5, (0.6 * 3 - 0.2 * 4) / 5),
    "ground": ((-0.15 * 3 + 0.3 * 4) / 5, (0.15 * 3 - 0.3 * 4) / 5),  # both together move at (-0.15, 0.3)
    "time": (-1.0, -1.0),
    "win": (0.0, 0.0),
    "fall": (0.0, 0.0),
}


def test_every_term_has_hand_worked_numbers():
    assert set(HAND_WORKED) == set(TERMS)


@pytest.mark.parametrize("term", TERMS)
def test_each_reward_term_has_its_hand_worked_value(make_duel, term):
    qpos = stand(HEIGHTS, quats=((1, 0, 0, 0), TILTED))
    np.testing.assert_allclose(reward_of(make_duel, term, qpos), HAND_WORKED[term], atol=1e-5)


@pytest.mark.parametrize(
    ("heights", "win", "fall"),
    [((LOW, HIGH), (0, 1), (-1, 0)), ((HIGH, LOW), (1, 0), (0, -1)), ((LOW, LOW), (0, 0), (-1, -1))],
    ids=["red falls", "blue falls", "both fall"],
)
def test_a_win_pays_who_stands_and_a_fall_costs_who_fell(make_duel, heights, win, fall):
    np.testing.assert_array_equal(reward_of(make_duel, "win", stand(heights)), win)
    np.testing.assert_array_equal(reward_of(make_duel, "fall", stand(heights)), fall)


def test_upright_stays_between_0_and_1(make_duel):
    np.testing.assert_array_equal(reward_of(make_duel, "upright", stand((STANDING + 0.3, LOW))), [1, 0])
    np.testing.assert_array_equal(reward_of(make_duel, "opponent_off_balance", stand((STANDING + 0.3, LOW))), [1, 0])


def test_approach_is_bounded_and_over_within_reach(make_duel):
    def approach(distance):
        return reward_of(make_duel, "approach", stand(positions=((0, 0), (distance, 0))), fast)

    fast = np.zeros((2, 10))
    fast[:, 0] = 5, 7
    np.testing.assert_array_equal(approach(humanoid_duel._REACH + 0.01), [1, -1])
    np.testing.assert_array_equal(approach(humanoid_duel._REACH - 0.01), [0, 0])


def test_rewards_are_finite_where_the_torsos_are_on_top_of_each_other(make_duel):
    for term in ("approach", "ground"):
        assert np.isfinite(reward_of(make_duel, term, stand(positions=((0, 0), (0, 0))))).all()


@pytest.mark.parametrize(
    "exercise", [{"drill": True, "held": (False, True)}, {"shadow": True}], ids=["drill", "shadow"]
)
@pytest.mark.parametrize("term", TERMS)
def test_in_an_exercise_only_the_terms_of_balance_count(make_duel, term, exercise):
    """What an opponent could give or take is worth nothing."""
    reward = reward_of(make_duel, term, stand((LOW, HEIGHTS[1]), quats=((1, 0, 0, 0), TILTED)), **exercise)
    if term in ("opponent_off_balance", "approach", "ground", "time", "win"):
        np.testing.assert_array_equal(reward, [0, 0])
    else:
        assert reward[0] != 0 or term == "upright", "the learner has fallen"


WEIGHTS = RewardWeights(**{term: 0.1 + 0.07 * index for index, term in enumerate(TERMS)})


@pytest.mark.parametrize("held", [(False, False), (False, True), (True, False)], ids=["duel", "blue held", "red held"])
def test_the_reward_is_the_weighted_sum_of_each_agents_own_terms(make_duel, held):
    qpos, drill = stand((HEIGHTS[0], LOW), quats=((1, 0, 0, 0), TILTED)), any(held)
    duel = make_duel(reward=WEIGHTS)
    # A held body has no speed and no say, so both sides of the comparison judge the same state.
    speeds = np.where(np.array(held)[:, None], 0, SPEEDS)
    _, timestep = duel.step(start(duel, qpos, speeds, drill=drill, held=held), ACTION)
    terms = {term: reward_of(make_duel, term, qpos, speeds, drill=drill, held=held) for term in TERMS}
    expected = sum(getattr(WEIGHTS, term) * np.asarray(value) for term, value in terms.items())
    np.testing.assert_allclose(timestep.reward, expected, atol=1e-5)
    alive = ~np.array(held)
    for term, value in terms.items():
        mean = getattr(WEIGHTS, term) * np.asarray(value)[alive].mean()
        np.testing.assert_allclose(timestep.metrics[f"reward/{term}"], mean, atol=1e-6, err_msg=term)


# The seats.


@pytest.fixture(scope="module")
def judge(make_duel):
    """Observation and reward of a state `(qpos [2, 11], qvel [2, 10])` after `action`."""
    duel = make_duel(reward=WEIGHTS)

    @jax.jit
    def judge(qpos, qvel, action):
        timestep = duel.step(start(duel, qpos, qvel), action)[1]
        return timestep.observation, timestep.reward, timestep.outcome

    return judge


def random_state(seed):
    rng = np.random.default_rng(seed)
    qpos = rng.normal(0, 0.5, (2, 11))
    qpos[:, 2] = rng.uniform(DEFAULTS.fall_height - 0.05, STANDING, 2)
    qpos[:, 3:7] /= np.linalg.norm(qpos[:, 3:7], axis=1, keepdims=True)
    return qpos, rng.normal(0, 1, (2, 10)), rng.uniform(-1.5, 1.5, (2, 4))


def moved(qpos, qvel, angle, shift):
    """The same arena, turned about the vertical and carried elsewhere; spins are in body coordinates and stay."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    quat = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
    qpos, qvel = qpos.copy(), qvel.copy()
    qpos[:, :2], qvel[:, :2] = qpos[:, :2] @ turn.T + shift, qvel[:, :2] @ turn.T
    for torso in qpos:
        mujoco.mju_mulQuat(torso[3:7], quat, torso[3:7].copy())
    return qpos, qvel


def observes_steadily(qpos):
    """Not so near to looking straight up or down that the heading has no direction, nor about to cross a threshold."""
    facing = 1 - 2 * (qpos[:, 5] ** 2 + qpos[:, 6] ** 2), 2 * (qpos[:, 4] * qpos[:, 5] + qpos[:, 3] * qpos[:, 6])
    distance = np.linalg.norm(qpos[0, :2] - qpos[1, :2])
    return np.linalg.norm(facing, axis=0).min() > 0.1 and abs(distance - humanoid_duel._REACH) > 1e-3 < distance


@hypothesis_settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(-np.pi, np.pi), st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
def test_swapping_the_agents_and_turning_the_arena_swaps_what_they_get(judge, seed, angle, shift):
    qpos, qvel, action = random_state(seed)
    assume(observes_steadily(qpos))
    expected = judge(qpos, qvel, action)
    turned_qpos, turned_qvel = moved(qpos, qvel, angle, shift)
    found = judge(turned_qpos[::-1], turned_qvel[::-1], action[::-1])
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other[::-1], one, rtol=1e-5, atol=1e-5)


def test_an_observation_shows_the_opponent_from_where_the_agent_stands(judge):
    """Red looks along +y at blue, 2 m ahead and half a metre to its left, who looks along -x and moves towards +x."""
    quarter, half = (np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)), (0, 0, 0, 1)
    qpos = stand((1.1, 1.0), ((0, 0), (-0.5, 2)), (quarter, half))
    qpos[:, 7:] = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]
    qvel = np.zeros((2, 10))
    qvel[0, :6], qvel[1, :3] = (1, 2, 3, 4, 5, 6), (7, 0, 0)
    qvel[:, 6:] = [[1, 2, 3, 4], [5, 6, 7, 8]]
    red = judge(qpos, qvel, IDLE)[0][0]
    expected = [
        *(1.1, 0, 0, 1),  # height; the world's up in the torso's coordinates
        *(2, -1, 3, 4, 5, 6),  # speed ahead, left, up; spin
        *(0.1, 0.2, 0.3, 0.4, 1, 2, 3, 4),  # hinges and their speeds
        *(2, 0.5, -0.1, np.hypot(2, 0.5)),  # where blue is, and how far on the ground
        *(0, -7, 0),  # blue's velocity
        *(0, 1),  # blue looks to red's left
        *(0, 0, 1),  # blue's up
        *(0.5, 0.6, 0.7, 0.8, 5, 6, 7, 8),  # blue's hinges and their speeds
    ]
    np.testing.assert_allclose(red, expected, atol=1e-5)


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
        ({"match_kick": (0.5, 0.1)}, "task.match_kick="),
        ({"drill_share": 1.1}, "task.drill_share=1.1: must lie between 0 and 1"),
        ({"drill_share": 0.6, "shadow_share": 0.6}, "task.shadow_share=0.6: drills and shadow matches exceed"),
        ({"reward": RewardWeights(time=-1.0)}, "task.reward.time=-1.0: weights must not be negative"),
        ({"gravity": 1}, "task.gravity=1: humanoid_duel has no such setting; it has agent_contacts"),
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
