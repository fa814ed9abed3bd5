"""A game of two sides in the whole league: training, ladder and pairings keep results by side."""

import jax
import numpy as np
import pytest
from chase import Chase, ChaseSettings

from league.evaluation import tournament
from league.evaluation.evaluation import duel
from league.evaluation.evaluator import Evaluator
from league.evaluation.sources import Contestant
from league.selfplay import SelfPlay, first_learner
from league.settings import LeagueSettings, LoggerSettings, RunSettings
from mjx_arena import PhysicsSettings, devices, registry
from ppo.policy import Policy
from ppo.settings import PPOSettings

SETTINGS = RunSettings(
    task=ChaseSettings(num_chasers=1),
    ppo=PPOSettings(horizon=8, epochs=1, num_minibatches=2, actor_hidden=(8,), critic_hidden=(8,)),
    league=LeagueSettings(player_pool_length=3, tile_rows=4, snapshot_interval=2),
    logger=LoggerSettings(dump_steps=0),
    num_arenas=32,
    iterations=6,
    devices=1,
)


@pytest.fixture(scope="module", autouse=True)
def registered():
    registry.register(Chase)
    yield
    del registry._registered["chase"]


@pytest.fixture(scope="module")
def trained(registered):
    trainer = SelfPlay(SETTINGS)
    state, reports = trainer.init(), []
    for _ in range(6):
        state, report = trainer.iterate(state)
        reports.append(jax.device_get(report))
    return trainer, jax.device_get(state), reports


def test_training_keeps_results_by_side(trained):
    _, state, reports = trained
    record = first_learner(state.pool.records)
    assert record.by_side.shape == (2, 3, 3)
    # A snapshot clears the results of its slot in both, so they add up at any time.
    np.testing.assert_array_equal(record.by_side.sum(0), record.results.total)
    assert record.by_side.sum() > 0
    assert {"league/win_rate/chaser", "league/win_rate/runner"} <= reports[-1].keys()


def contestant(policy, seed):
    return Contestant(f"seed {seed}", "learner", seed, seed, policy, policy.init(jax.random.key(seed)))


def test_a_ladder_has_a_table_for_each_side():
    arena = Chase(ChaseSettings(num_chasers=1), PhysicsSettings())
    policy = Policy(arena.observation_size, arena.action, SETTINGS.ppo)
    contestants = [contestant(policy, seed) for seed in range(3)]
    evaluator = Evaluator(arena, [policy], devices.make_mesh(1), None, sampled=True)
    lineups, records = tournament.play(evaluator, contestants, matches=40, seed=0)
    result = tournament.judge(lineups, records, 3, 0, arena)
    assert result.side_names == ("chaser", "runner")
    np.testing.assert_array_equal(sum(result.by_side), result.results)
    # What one wins as the chaser the other loses as the runner.
    np.testing.assert_array_equal(result.by_side[0], result.by_side[1].transpose(1, 0, 2)[..., ::-1])
    report = result.as_dict(contestants, ["a", "b", "c"])
    assert set(report["results_by_side"]) == {"chaser", "runner"} and "win_rate_as_runner" in report["members"][0]


def test_a_pairing_says_how_each_side_did():
    arena = Chase(ChaseSettings(num_chasers=1), PhysicsSettings())
    policy = Policy(arena.observation_size, arena.action, SETTINGS.ppo)
    evaluator = Evaluator(arena, [policy], devices.make_mesh(1), None, sampled=True)
    one, two = (policy.init(jax.random.key(seed)) for seed in range(2))
    score, _ = duel(evaluator, one, two, 64, jax.random.key(0))
    assert set(score.by_side) == {"chaser", "runner"}
    assert all(sum(part.values()) == pytest.approx(1) for part in score.by_side.values())
