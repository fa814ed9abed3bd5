"""The whole iteration in a game without physics: bits, snapshots, results, and what is not trained on."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from league.selfplay import SelfPlay, first_learner
from league.settings import LeagueSettings, LoggerSettings, RunSettings
from mjx_arena import registry
from mjx_arena.arena import TaskSettings
from ppo.settings import PPOSettings

SLOTS, INTERVAL = 3, 2


@dataclasses.dataclass(frozen=True)
class ToySettings(TaskSettings):
    name: str = "toy"
    num_agents: int = 2


SETTINGS = RunSettings(
    task=ToySettings(),
    ppo=PPOSettings(horizon=6, epochs=1, num_minibatches=2, actor_hidden=(4,), critic_hidden=(4,)),
    league=LeagueSettings(player_pool_length=SLOTS, snapshot_interval=INTERVAL, keep_untrained=False, tile_rows=4),
    num_arenas=12,
    iterations=10,
    devices=1,
    seed=3,
)


def leaves_of(state):
    """The bits of a state, by path; keys as numbers."""
    flat, _ = jax.tree.flatten_with_path(state)
    return {
        jax.tree_util.keystr(path): np.asarray(
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        )
        for path, leaf in flat
    }


@pytest.fixture(scope="module")
def trainer(toy_arena):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "build", lambda settings, physics: toy_arena(drill_share=0.2))
        yield SelfPlay(SETTINGS)


@pytest.fixture(scope="module")
def run(trainer):
    """States 0 to 6, each copied before it is given away, and the metrics and films of each iteration."""
    state = trainer.init()
    states, metrics, films = [jax.device_get(state)], [], []
    for _ in range(6):
        state, report = trainer.iterate(state)
        states.append(jax.device_get(state))
        films.append(report.pop("film"))
        metrics.append({name: float(value) for name, value in report.items()})
    return states, metrics, films


def test_the_film_goes_through_the_matches_of_the_first_arena(run):
    states, _, films = run
    for state, film in zip(states, films, strict=False):
        assert film["pose"][0] == state.matches.arena.physics[0, 0]
    pose, ended = (np.concatenate([film[name] for film in films]) for name in ("pose", "ended"))
    assert 2 < ended.sum() < len(ended) / 2
    # The toy's pose is the number of steps played.
    np.testing.assert_array_equal(pose[1:, 0], np.where(ended[:-1], 0, pose[:-1, 0] + 1))


def test_the_same_seed_gives_the_same_bits(trainer, run):
    states, _, _ = run
    state = trainer.init()
    for expected in states[:3]:
        one, two = leaves_of(state), leaves_of(expected)
        assert one.keys() == two.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], two[name], err_msg=name)
        state, _ = trainer.iterate(state)


def test_an_iteration_gives_away_its_argument(trainer):
    state = trainer.init()
    trainer.iterate(state)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves((state.learner.policy.params, state.pool.policies)))


def test_the_declared_shape_is_that_of_a_state(trainer, run):
    declared, state = trainer.state_shape(), trainer.init()
    for shape, leaf in zip(jax.tree.leaves(declared), jax.tree.leaves(state), strict=True):
        assert (shape.shape, shape.dtype) == (leaf.shape, leaf.dtype)
        assert shape.sharding.is_equivalent_to(leaf.sharding, leaf.ndim)
        assert not getattr(leaf, "weak_type", False)  # a restored state has none, and would need another program
    after = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), run[0][-1])
    assert after == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), jax.device_get(state))


def test_snapshots_are_taken_when_due_and_never_change_afterwards(run):
    states, _, _ = run
    # The untrained policy, then one after iterations 2, 4 and 6; the last overwrites the first.
    expected = {0: [0, None, None], 1: [0, None, None], 2: [0, 2, None], 3: [0, 2, None], 4: [0, 2, 4], 5: [0, 2, 4]}
    expected[6] = [6, 2, 4]
    for iteration, members in expected.items():
        pool = states[iteration].pool
        assert pool.occupied.tolist() == [member is not None for member in members]
        assert int(states[iteration].iteration) == iteration
        for slot, member in enumerate(members):
            if member is None:
                continue
            assert int(pool.iteration[slot]) == member
            then = first_learner(states[member].learner.policy)
            for stacked, leaf in zip(jax.tree.leaves(pool.policies), jax.tree.leaves(then), strict=True):
                np.testing.assert_array_equal(stacked[slot], leaf)
    assert states[6].pool.generation.tolist() == [2, 1, 1]


def test_results_add_up_to_the_games_reported(run):
    states, metrics, _ = run
    games = 0
    for before, after, report in zip(states, states[1:], metrics, strict=False):
        gained = after.pool.records.results.total[0].sum(1) - before.pool.records.results.total[0].sum(1)
        if int(after.iteration) == 6:
            gained = gained[1:]  # slot 0 has a new tenant, without results
            assert gained.sum() <= report["league/games"]
        else:
            assert gained.sum() == report["league/games"]
        games += report["league/games"]
        assert report["league/games"] <= report["matches"]
        assert report["league/members"] == before.pool.occupied.sum()
        assert not np.any(after.pool.records.results.total[0][~after.pool.occupied])
    assert games > 0 and not np.any(states[6].pool.records.results.total[0, 0])


def test_every_iteration_learns_from_its_rows(trainer, run):
    states, metrics, _ = run
    rows = trainer.num_mirror * 2 + (SETTINGS.num_arenas - trainer.num_mirror)
    assert trainer.num_mirror == 6 and trainer.arenas_per_device == 12
    for before, after, report in zip(states, states[1:], metrics, strict=False):
        assert report["updates"] == 2 and report["skipped_updates"] == 0 and report["nonfinite_arenas"] == 0
        seen = int(after.learner.policy.normalizer.count_low[0]) - int(before.learner.policy.normalizer.count_low[0])
        assert 0.7 * rows * 6 < seen < rows * 6  # dummies of drills have no weight
        moved = [np.abs(a - b).max() for a, b in zip(*map(params_of, (before, after)), strict=True)]
        assert max(moved) > 1e-5
        assert not np.array_equal(jax.random.key_data(before.key), jax.random.key_data(after.key))
        assert 2 <= report["match_length"] <= 8
        assert report["last/steps"] == pytest.approx(report["match_length"])  # of matches that ended, and no others


def params_of(state):
    return jax.tree.leaves(state.learner.policy.params)


def test_no_opponent_changes_inside_a_match(toy_arena):
    """Snapshots fall due in every iteration, and the pool is small: they have to wait until their slot is free."""
    league = dataclasses.replace(SETTINGS.league, player_pool_length=3, snapshot_interval=1)
    logger = LoggerSettings(dump_steps=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "build", lambda settings, physics: toy_arena(drill_share=0.2))
        trainer = SelfPlay(dataclasses.replace(SETTINGS, league=league, logger=logger, num_arenas=48))
    state, games, snapshots = trainer.init(), 0, set()
    before = jax.device_get(state)
    for _ in range(150):
        state, report = trainer.iterate(state)
        after = jax.device_get(state)
        then, now = first_learner(before.matches), first_learner(after.matches)
        assert (now.generation == after.pool.generation[now.slot]).all(), "a slot in play has a new tenant"
        goes_on = now.arena.step_count[trainer.num_mirror :] > SETTINGS.ppo.horizon
        assert (now.slot[goes_on] == then.slot[goes_on]).all() and (now.seat[goes_on] == then.seat[goes_on]).all()
        games += float(report["league/games"])
        snapshots.add(int(after.pool.iteration.max()))
        before = after
    assert games > 2000 and len(snapshots) > 30


def test_staggered_matches_begin_anywhere_within_the_time_limit(toy_arena):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "build", lambda settings, physics: toy_arena(time_limit=100))
        trainer = SelfPlay(dataclasses.replace(SETTINGS, randomize_initial_episode_length=True, num_arenas=512))
    count = np.asarray(first_learner(trainer.init().matches).arena.step_count)
    assert count.min() >= 0 and count.max() < 100
    assert np.histogram(count, 4, (0, 100))[0].min() > 90


def test_staggering_draws_with_another_key_than_the_starts(toy_arena, monkeypatch):
    keys, draw = [], jax.random.randint

    def spied(key, *arguments, **more):
        jax.debug.callback(lambda data: keys.append(jax.random.wrap_key_data(data)), jax.random.key_data(key))
        return draw(key, *arguments, **more)

    monkeypatch.setattr(jax.random, "randint", spied)
    monkeypatch.setattr(registry, "build", lambda settings, physics: toy_arena())
    starts = first_learner(
        SelfPlay(dataclasses.replace(SETTINGS, randomize_initial_episode_length=True)).init().matches
    ).arena.key
    jax.effects_barrier()
    assert len(keys) == 1  # of the step counts
    for key in keys:
        assert (jax.random.split(key, len(starts)) != starts).all()
