"""Bots for RLGym see what car soccer shows its policies, and do what it lets them, in the same states."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rlgym_states
from train_runs import ROOT

import mjx_arena
from league.evaluation import policy_file
from league.exports import formats
from league.exports.contents import Contents
from mjx_arena.geometry import rotation_matrix
from mjx_arena.physics import PhysicsSettings
from mjx_arena.rlgym_bot import load
from mjx_arena.tasks.car_soccer import actions, boost, car, field, rlgym, scene, world
from mjx_arena.tasks.car_soccer.arena import CarSoccerSettings
from mjx_arena.tasks.car_soccer.rigid import Rigid
from mjx_arena.tasks.car_soccer.units import METRE
from mjx_arena.tasks.car_soccer.vectors import to_body, to_world
from mjx_arena.tasks.car_soccer.world import World
from mjx_arena.types import Box, Discrete
from ppo.policy import Policy
from ppo.settings import PPOSettings

NUM_STATES, LEFT = 60, 0.75
TICKS = int((1 - LEFT) * 300 * 120)  # since the match began
TEAMS = (1, 3)


def bot_of(folder, sampled=False, seed=None, **changes):
    """A bot with random weights, for car soccer with some settings changed; and its policy."""
    settings = CarSoccerSettings(**changes)
    interface = rlgym.interface(settings)
    size = settings.frames * sum(each["size"] for each in interface["observation"])
    action = Discrete(actions.NUM_ROWS) if settings.actions == "table" else Box(8)
    policy, rng = Policy(size, action, PPOSettings(actor_hidden=(32,), critic_hidden=(8,))), np.random.default_rng(1)
    shape = jax.eval_shape(policy.init, jax.random.key(0))
    state = jax.tree.map(lambda x: (0.3 * rng.normal(size=x.shape)).astype(x.dtype), shape)
    state = state.replace(normalizer=state.normalizer.replace(variance=1 + state.normalizer.variance**2))
    about = policy_file.describe(policy, {"task": {"name": "car_soccer"}})
    formats.write(
        folder / "bot.npz",
        formats.FORMATS["rlgym"],
        Contents(policy, state, settings.actions == "table", sampled, about, {"rlgym": interface}),
    )
    return load(folder / "bot.npz", seed=seed), policy, state


@functools.cache
def matches(team):
    """Random states of the game with `team` cars a side: `(ball, cars, world, held)`, leaves `[NUM_STATES, ...]`."""
    rng, num = np.random.default_rng(team), 2 * team

    def bodies(count, highest):
        quat = rng.normal(size=(NUM_STATES, count, 4))
        rotation = jax.vmap(jax.vmap(rotation_matrix))(
            jnp.asarray(quat / np.linalg.norm(quat, axis=-1, keepdims=True), jnp.float32)
        )
        place = rng.uniform([-4000, -5100, 20], [4000, 5100, highest], (NUM_STATES, count, 3))
        in_goal = rng.random((NUM_STATES, count, 1)) < 0.2
        goal = rng.uniform([-880, 5150, 20], [880, 5950, 630], place.shape) * rng.choice([-1, 1], in_goal.shape) ** [
            0,
            1,
            0,
        ]
        place = np.where(in_goal, goal, place)
        velocity, spin = rng.uniform(-1300, 1300, place.shape), rng.uniform(-3, 3, place.shape)
        return Rigid(*(np.asarray(x, np.float32) for x in (place, rotation, velocity, spin)))

    def flag():
        return rng.random((NUM_STATES, num)) < 0.5

    cars = bodies(num, 200)
    fresh = jax.tree.map(lambda x: np.broadcast_to(x, (NUM_STATES, num, *x.shape)), car.fresh(0.0))
    states = fresh.replace(
        boost=rng.uniform(0, 100, (NUM_STATES, num)).astype(np.float32),
        hull_touches=gaps(cars) <= 2,
        air_time=rng.uniform(0, 2, (NUM_STATES, num)).astype(np.float32),
        respawn=np.where(rng.random((NUM_STATES, num)) < 0.1, 2.5, 0).astype(np.float32),
        **{name: flag() for name in ("on_ground", "jumping", "double_jumped", "dodged", "supersonic")},
    )
    pads = rng.uniform(-5, 10, (NUM_STATES, boost.NUM_PADS)).clip(0).astype(np.float32)
    the_ball = jax.tree.map(lambda x: x[:, 0], bodies(1, 1900))
    return the_ball, cars, World(states, pads), rng.choice([-1.0, 0, 1], (NUM_STATES, num, 8)).astype(np.float32)


@jax.jit
@jax.vmap
@jax.vmap
def gaps(body):
    """Distances, uu, of hulls from the nearest surface, by the game's own functions."""
    normals, distances = field.surfaces(body.position + to_world(body.rotation, jnp.asarray(car.HULL, jnp.float32)))
    return (distances - (jnp.abs(to_body(body.rotation, normals)) * (car.SIZE / 2)).sum(-1)).min()


@functools.cache
def expected(team):
    """The game's observations `[NUM_STATES, A, O]` and legal rows `[NUM_STATES, A, 90]` of `matches`."""

    @jax.vmap
    def look(the_ball, cars, field, held):
        seen = scene.scenes(the_ball, cars, field, held, jnp.float32(LEFT))
        return jax.vmap(lambda one: scene.observe(one, tuple(scene.GROUPS)))(seen), jax.vmap(actions.legal)(field.cars)

    return tuple(np.asarray(x) for x in jax.jit(look)(*matches(team)))


def agents(team):
    return [f"{name}-{index}" for name in ("blue", "orange") for index in range(team)]


def state_of(team, match, tick=TICKS):
    """A match of `matches` as RLGym has it."""
    the_ball, cars, the_world, _ = jax.tree.map(lambda x: x[match], matches(team))
    return rlgym_states.state(the_ball, cars, the_world, agents(team), tick)


def observed(bot, team, match, state):
    """What a bot sees of a match in which its cars have just played `held`."""
    held = dict(zip(agents(team), matches(team)[3][match], strict=True))
    bot.reset(agents(team), rlgym_states.State(cars=state.cars, tick_count=0), {})
    for agent, values in held.items():
        bot._held[agent] = values
    found = bot.build_obs(agents(team), state, {})
    return np.array([found[agent] for agent in agents(team)]), np.array([bot.legal[agent] for agent in agents(team)])


@pytest.mark.parametrize("team", TEAMS)
def test_a_bot_sees_what_the_game_shows_and_may_do_what_it_allows(team, tmp_path):
    bot, *_ = bot_of(tmp_path, team_size=team)
    observations, legal = expected(team)
    assert 0.05 < matches(team)[2].cars.hull_touches.mean() < 0.95  # both kinds are there
    for match in range(NUM_STATES):
        seen, rows = observed(bot, team, match, state_of(team, match))
        np.testing.assert_allclose(seen, observations[match], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(rows, legal[match])


@pytest.mark.parametrize("team", TEAMS)
def test_a_bot_sees_the_same_through_rocketsim(team, tmp_path):
    pytest.importorskip("rlgym.rocket_league")
    from rlgym.rocket_league.sim import RocketSimEngine

    engine, (bot, *_) = RocketSimEngine(), bot_of(tmp_path, team_size=team)
    for match in range(0, NUM_STATES, 4):
        state = engine.set_state(state_of(team, match), {})
        seen, rows = observed(bot, team, match, state)
        np.testing.assert_allclose(seen, expected(team)[0][match], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(rows, expected(team)[1][match])


def test_a_hull_lies_on_the_field_where_rocketsim_has_a_contact(tmp_path):
    pytest.importorskip("rlgym.rocket_league")
    from rlgym.rocket_league.sim import RocketSimEngine

    engine, (bot, *_), told = RocketSimEngine(), bot_of(tmp_path, observe=("masks",)), []
    inside = gaps(matches(1)[1]).min(1) > 5
    for match in np.flatnonzero(inside):  # cars that tumble, and come to rest
        state = engine.set_state(state_of(1, match), {})
        bot.reset(agents(1), state, {})
        for _ in range(20):
            state = engine.step({agent: np.zeros((8, 8)) for agent in agents(1)}, {})
            seen = bot.build_obs(agents(1), state, {})
            contacts = {agent: engine._cars[agent].get_state().has_world_contact for agent in agents(1)}
            told += [(seen[agent][3], contacts[agent]) for agent in agents(1) if not state.cars[agent].is_demoed]
    found, real = np.array(told, bool).T
    assert real.mean() > 0.05 and (found == real).mean() > 0.97


def test_pads_are_those_of_the_game_in_rlgym_s_order():
    pads = np.array(rlgym.interface(CarSoccerSettings())["pads"])
    ours = np.column_stack([boost.PADS, boost.IS_BIG])
    assert {tuple(pad) for pad in pads.tolist()} == {tuple(pad) for pad in ours.tolist()} and len(pads) == 34
    values = pytest.importorskip("rlgym.rocket_league.common_values")
    theirs = np.array(values.BOOST_LOCATIONS)
    np.testing.assert_allclose(pads[:, :2], theirs[:, :2], atol=2)  # one of theirs is 2 uu off its mirror image
    np.testing.assert_array_equal(pads[:, 2], theirs[:, 2] > 71)
    parsers = pytest.importorskip("rlgym.rocket_league.action_parsers")
    np.testing.assert_array_equal(parsers.LookupTableAction.make_lookup_table(), actions.TABLE)


def test_a_bot_acts_as_its_policy_does(tmp_path):
    bot, policy, state = bot_of(tmp_path)
    observations, legal = expected(1)
    distribution = jax.jit(policy.distribution)(state, observations, legal)
    likely, spread = np.asarray(distribution.mode()), jax.nn.softmax(distribution.logits)
    for match in range(NUM_STATES):
        observed(bot, 1, match, state_of(1, match))
        acted = bot.act(dict(zip(agents(1), observations[match], strict=True)))
        assert [int(acted[agent][0]) for agent in agents(1)] == likely[match].tolist()
    drawing, drawn = load(tmp_path / "bot.npz", sampled=True, seed=0), np.zeros(actions.NUM_ROWS)
    observed(drawing, 1, 0, state_of(1, 0))
    for _ in range(3000):
        drawn[drawing.act({"blue-0": observations[0, 0]})["blue-0"][0]] += 1 / 3000
    assert np.abs(drawn - spread[0, 0]).max() < 0.04
    assert drawn[~legal[0, 0]].sum() == 0


def test_controls_last_a_control_step_and_an_illegal_row_is_none(tmp_path):
    bot, *_ = bot_of(tmp_path, sticky_keys=2)
    state = state_of(1, 0)
    observed(bot, 1, 0, state)
    legal = bot.legal["blue-0"]
    jump = np.flatnonzero(legal & (actions.TABLE[:, 6] > 0))[0]
    idle, illegal = np.array([actions.IDLE]), np.array([np.flatnonzero(~legal)[0]])
    for row, kept in ((jump, 1), (illegal, 1), (idle, 0)):  # the key is held for one step more
        controls = bot.parse_actions({"blue-0": np.array([row]).ravel()}, state, {})["blue-0"]
        assert controls.shape == (8, 8) and (controls == controls[0]).all()
        expected = actions.TABLE[jump] if row is jump else np.zeros(8)
        np.testing.assert_array_equal(controls[0, :5], expected[:5])
        assert controls[0, 6] == kept
        np.testing.assert_array_equal(bot._held["blue-0"], controls[0])


def test_continuous_controls_and_stacked_frames(tmp_path):
    bot, policy, state = bot_of(tmp_path, actions="continuous", frames=2, observe=("ball", "previous"), ticks=4)
    assert bot.get_action_space("blue-0") == ("continuous", 8) and bot.get_obs_space("blue-0") == ("real", 34)
    first, second = state_of(1, 0), state_of(1, 1)
    bot.reset(agents(1), first, {})
    seen = bot.build_obs(agents(1), first, {})["blue-0"]
    np.testing.assert_array_equal(seen[:17], seen[17:])
    action = bot.act({"blue-0": seen})["blue-0"]
    np.testing.assert_allclose(action, policy.distribution(state, seen).mode(), atol=1e-5)
    values = np.array([2, -0.3, 0, 0, 0, 0.1, -0.1, 0])
    controls = bot.parse_actions({"blue-0": values}, first, {})["blue-0"]
    np.testing.assert_allclose(controls, np.tile([1, -0.3, 0, 0, 0, 1, 0, 0], (4, 1)), atol=1e-6)
    after = bot.build_obs(["blue-0"], second, {})["blue-0"]
    np.testing.assert_allclose(after[9:17], controls[0])
    np.testing.assert_array_equal(after[17:], seen[:17])


def test_what_is_no_bot_and_teams_of_another_size_are_refused(tmp_path):
    bot, policy, state = bot_of(tmp_path)
    with pytest.raises(ValueError, match="this bot plays 1 against 1"):
        bot.reset(agents(3), state_of(3, 0), {})
    policy_file.save(tmp_path / "plain.npz", policy, state, {})
    with pytest.raises(ValueError, match="plain.npz is no bot for RLGym; write one with export.py format=rlgym"):
        load(tmp_path / "plain.npz")


def test_the_file_s_layout_is_the_game_s():
    for team in TEAMS:
        sizes = [each["size"] for each in rlgym.interface(CarSoccerSettings(team_size=team))["observation"]]
        assert sum(sizes) == expected(team)[0].shape[-1]


@pytest.mark.slow
def test_a_match_in_rocketsim_looks_as_it_does_in_the_game(tmp_path):
    """A bot plays here and there from one start, and what it sees is the same for a second, until something lands."""
    pytest.importorskip("rlgym.rocket_league")
    text, namespace = (ROOT / "docs" / "exports.md").read_text(), {}
    [code] = re.findall(r"^## RLGym\n.*?^```python\n(.*?)^observations =", text, re.M | re.S)
    bot_of(tmp_path)
    exec(code.replace("bot.npz", str(tmp_path / "bot.npz")), namespace)
    env, bot = namespace["env"], namespace["bot"]
    assert env.reset()["blue-0"].shape == (95,)

    arena = mjx_arena.make("car_soccer", PhysicsSettings(engine="native"))
    state, _ = jax.jit(arena.reset)(jax.random.key(0))
    # RocketSim holds a ball that does not move still until it is touched, even in the air; so it is thrown.
    qpos = state.physics.qpos.at[2].set(900 * METRE)
    qvel = state.physics.qvel.at[:3].set(jnp.array([400, 300, 200]) * METRE)
    state = state.replace(physics=state.physics.replace(qpos=qpos, qvel=qvel))
    start = rlgym_states.state(*world.bodies(state.physics, 2), state.memory.world, agents(1), tick=0)
    started = env.transition_engine.set_state(start, {})
    bot.reset(agents(1), started, {})
    observations, step, worst = bot.build_obs(agents(1), started, {}), jax.jit(arena.step), []
    for _ in range(16):
        acted = bot.act(observations)
        state, timestep = step(state, jnp.array([acted[agent][0] for agent in agents(1)]))
        observations, *_ = env.step(acted)
        seen = np.array([observations[agent] for agent in agents(1)])
        worst.append(np.abs(seen - timestep.observation).max(0))
    assert np.max(worst) < 1e-3
