"""Policies out of runs and files, into tournaments and other runs' pools; and a league that goes on bit for bit."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from league import pool
from league.config import compose as config
from league.evaluation import sources
from league.evaluation.policy_file import PolicyFileError
from league.exports import contents, formats
from league.run import folder as run_folder
from league.run.checkpoints import Checkpoints
from league.selfplay import SelfPlay
from league.settings import LeagueSettings, LoggerSettings, RunSettings
from mjx_arena import registry
from mjx_arena.arena import TaskSettings
from mjx_arena.validation import SettingError
from ppo.settings import PPOSettings

ROLES = ("main", "main_exploiter", "league_exploiter")


@dataclasses.dataclass(frozen=True)
class ToySettings(TaskSettings):
    name: str = "toy_with_sources"
    num_agents: int = 2


@dataclasses.dataclass(frozen=True)
class OtherSettings(ToySettings):
    name: str = "another_toy"


@pytest.fixture(scope="module", autouse=True)
def registered(toy_arena):
    class Toy(toy_arena):
        settings_type = ToySettings

        def __init__(self, settings, physics):
            super().__init__(settings.num_agents)

    class Other(Toy):
        settings_type = OtherSettings

    for arena in (Toy, Other):
        registry.register(arena)
    yield
    for settings in (ToySettings, OtherSettings):
        del registry._registered[settings.name]


SETTINGS = RunSettings(
    task=ToySettings(),
    ppo=PPOSettings(horizon=6, epochs=1, num_minibatches=2, actor_hidden=(4,), critic_hidden=(4,)),
    league=LeagueSettings(
        roles=ROLES,
        player_pool_length=7,
        mirror_fraction=0.0,
        snapshot_min_games=5,
        snapshot_win_rate=0.5,
        snapshot_interval=2,
        tile_rows=4,
        reset_share=0.5,
    ),
    logger=LoggerSettings(dump_steps=0),
    num_arenas=12,
    iterations=8,
    devices=1,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory, registered):
    """A run's folder with checkpoints 0, 4 and 8; its trainer and its states 0 to 8."""
    folder = tmp_path_factory.mktemp("sources") / "run"
    folder.mkdir()
    trainer = SelfPlay(SETTINGS)
    run_folder.write_config(folder, config.to_mapping(SETTINGS))
    state, states = trainer.init(), []
    with Checkpoints(folder / run_folder.CHECKPOINTS, keep_interval=4) as checkpoints:
        for iteration in range(9):
            states.append(jax.device_get(state))
            if iteration % 4 == 0:
                checkpoints.save(iteration, state, {"task": SETTINGS.task_name})
            state, _ = trainer.iterate(state)
    return folder, trainer, states


def equal(one, two):
    jax.tree.map(np.testing.assert_array_equal, one, two)


def of_role(state, role):
    return jax.tree.map(lambda x: x[role], state.learner.policy)


def test_a_league_of_roles_goes_on_bit_for_bit(run):
    """Pool, results, ratings, roles and learners."""
    folder, trainer, states = run
    with Checkpoints(folder / run_folder.CHECKPOINTS, read_only=True) as checkpoints:
        state, _ = checkpoints.restore(trainer.state_shape(), 4)
    for iteration in range(4, 9):
        for one, two in zip(jax.tree.leaves(state), jax.tree.leaves(states[iteration]), strict=True):
            if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
                one, two = jax.random.key_data(one), jax.random.key_data(two)
            np.testing.assert_array_equal(one, two)
        state, _ = trainer.iterate(state)
    last = states[-1].pool
    assert set(last.role.tolist()) == {pool.FOREIGN, 0, 1, 2} and last.records.results.total.sum() > 0


def test_exploiters_start_anew_after_their_snapshots(run):
    _, _, states = run
    for role, expected in ((0, False), (1, True)):
        anew = []
        for before, after in zip(states, states[1:], strict=False):
            slot = int(after.pool.records.newest[role])
            if int(after.pool.iteration[slot]) == int(after.iteration):  # a snapshot was taken of what it had learned
                taken = jax.tree.map(lambda x, slot=slot: x[slot], after.pool.policies)
                count = of_role(after, role).normalizer.count_low
                anew.append(int(count) == 0)
                assert int(taken.normalizer.count_low) > int(before.learner.policy.normalizer.count_low[role])
        assert anew and all(found == expected for found in anew)


def test_the_newest_and_the_past_of_a_run_are_found(run):
    folder, _, states = run
    source = sources.open_source(folder)
    newest = source.newest()
    assert (newest.role, newest.iteration, newest.arena_steps) == ("main", 8, 8 * 12 * 6 * 3)
    equal(newest.state, of_role(states[8], 0))
    equal(source.at_fraction(0.0).state, of_role(states[0], 0))
    equal(source.at_fraction(0.6).state, of_role(states[4], 0))
    equal(sources.open_source(folder, step=4).newest().state, of_role(states[4], 0))


def test_a_spread_has_members_of_every_role_the_untrained_first_and_the_newest_last(run):
    folder, _, states = run
    found = sources.open_source(folder).sample_checkpoints(100)
    assert (found[0].iteration, found[0].role) == (0, "main") and (found[-1].iteration, found[-1].role) == (8, "main")
    assert {contestant.role for contestant in found} == set(ROLES)
    assert [contestant.iteration for contestant in found] == sorted(contestant.iteration for contestant in found)
    members = states[8].pool
    for slot in np.flatnonzero(members.role != pool.FOREIGN):
        name, step = ROLES[members.role[slot]], members.iteration[slot]
        [contestant] = [each for each in found if (each.role, each.iteration) == (name, step)]
        equal(contestant.state, jax.tree.map(lambda x, slot=slot: x[slot], members.policies))
    few = sources.open_source(folder).sample_checkpoints(3)
    assert len(few) == 3 and few[0].iteration == 0 and few[-1].iteration == 8


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    for step in (4, 8):
        source = sources.RunSource(run[0], step)
        held = contents.of(source.newest(), source.settings, source.arena, sampled=False)
        formats.write(folder / f"policy{step}.npz", formats.FORMATS["npz"], held)
    return folder


def test_an_exported_policy_is_the_same_without_its_run(run, exported):
    found = sources.open_source(exported / "policy8.npz")
    equal(found.newest().state, of_role(run[2][8], 0))
    assert found.newest()[1:4] == ("main", 8, 8 * 12 * 6 * 3) and found.settings.task == ToySettings()
    with pytest.raises(SettingError, match=r"policy8\.npz: holds one policy"):
        found.at_fraction(0.0)
    both = sources.open_all([str(exported)])
    assert [source.newest().iteration for source in both] == [4, 8]


def test_a_policy_for_another_version_of_the_game_is_refused(exported, monkeypatch, toy_arena):
    monkeypatch.setattr(toy_arena, "version", 2)
    with pytest.raises(PolicyFileError, match=r"policy8\.npz plays version 1 of toy_with_sources; this is version 2"):
        sources.open_source(exported / "policy8.npz")


def with_members(**changes):
    league = LeagueSettings(player_pool_length=8, snapshot_interval=1, tile_rows=4, **changes)
    return dataclasses.replace(SETTINGS, league=league)


def test_members_from_elsewhere_join_the_first_pool_and_anchors_stay(run, exported):
    anchors, first = (str(exported / "policy4.npz"),), (str(run[0]),)
    settings = with_members(anchors=anchors, initial_opponents=first, idle=True)
    trainer = SelfPlay(settings)
    state = trainer.init(sources.foreign_members(settings.league, trainer.policy, settings.task_name))
    members = jax.device_get(state.pool)
    assert members.occupied.sum() == 4 and members.anchor.tolist()[:4] == [True, True, True, False]
    slot = [jax.tree.map(lambda x, k=k: x[k], members.policies) for k in range(4)]
    equal(slot[0], jax.device_get(jax.tree.map(lambda x: x[0], state.learner.policy)))
    action = trainer.policy.distribution(slot[1], jnp.ones((1, 3))).mode()
    np.testing.assert_array_equal(action, 0)
    equal(slot[2], of_role(run[2][4], 0))
    equal(slot[3], of_role(run[2][8], 0))
    for _ in range(16):
        state, _ = trainer.iterate(state)
    after = jax.device_get(state.pool)
    for k in range(3):
        equal(jax.tree.map(lambda x, k=k: x[k], after.policies), slot[k])
    assert after.generation.tolist()[:3] == [1, 1, 1] and after.generation[3] > 1
    assert after.records.results.total[0, :3].sum() > 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ppo": dataclasses.replace(SETTINGS.ppo, actor_hidden=(5,))}, "has another architecture: actor_hidden"),
        ({"task": OtherSettings()}, "plays toy_with_sources"),
    ],
)
def test_members_that_do_not_fit_are_refused_by_name(exported, changes, expected):
    path = str(exported / "policy8.npz")
    settings = dataclasses.replace(with_members(initial_opponents=(path,)), **changes)
    with pytest.raises(SettingError, match=f"league.initial_opponents={path}: {expected}"):
        sources.foreign_members(settings.league, SelfPlay(settings).policy, settings.task_name)


def test_what_is_neither_a_run_nor_a_file_is_refused(tmp_path):
    with pytest.raises(SettingError, match="is no run's folder"):
        sources.open_source(tmp_path)
    with pytest.raises(PolicyFileError, match="cannot be read"):
        sources.open_source(tmp_path / "missing.npz")
