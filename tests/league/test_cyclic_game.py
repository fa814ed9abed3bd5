"""Rock, paper, scissors: playing the latest self goes round and round, a league finds the mixed equilibrium."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rock_paper_scissors import RockPaperScissors, exploitability, probabilities

from league.selfplay import SelfPlay, first_learner
from league.settings import LeagueSettings, LoggerSettings, RunSettings
from mjx_arena import registry
from mjx_arena.arena import TaskSettings
from ppo.settings import PPOSettings

ITERATIONS, LAST = 200, 50
LEAGUES = {
    "latest": LeagueSettings(player_pool_length=64, mirror_fraction=0.0, matchmaker="latest", snapshot_interval=5),
    "pfsp": LeagueSettings(player_pool_length=64, mirror_fraction=0.0, matchmaker="pfsp", snapshot_interval=5),
    "alphastar": LeagueSettings(
        roles=("main", "main_exploiter", "league_exploiter"),
        player_pool_length=64,
        mirror_fraction=0.0,
        snapshot_win_rate=0.6,
        snapshot_min_games=100,
        snapshot_interval=10,
    ),
}


@dataclasses.dataclass(frozen=True)
class GameSettings(TaskSettings):
    name: str = "rock_paper_scissors"
    num_agents: int = 2


def train(league):
    """Exploitability of the first learner at the start, as someone who likes rock, and in the last iterations.

    The bonus for entropy makes best responses smooth, softmax(payoff / 0.3): to the even mixture it is even itself,
    and nearby a step away grows by 1 / (0.3 * sqrt(3)) = 1.9, so whoever responds to one opponent alone overshoots.
    """
    trainer = trainer_for(league)
    state = trainer.init()
    bias = state.learner.policy.params["actor"]["params"]["Dense_0"]["bias"]
    state.learner.policy.params["actor"]["params"]["Dense_0"]["bias"] = bias + jnp.array([2.0, 0.0, 0.0])
    found = [_exploitability(trainer, state)]
    for iteration in range(ITERATIONS):
        state, _ = trainer.iterate(state)
        if iteration >= ITERATIONS - LAST:
            found.append(_exploitability(trainer, state))
    return found[0], found[1:]


def trainer_for(league):
    settings = RunSettings(
        task=GameSettings(),
        ppo=PPOSettings(
            horizon=8,
            epochs=2,
            num_minibatches=2,
            actor_hidden=(),
            critic_hidden=(),
            learning_rate=0.02,
            learning_rate_schedule="fixed",
            entropy_coefficient=0.3,
            normalize_advantage=False,
        ),
        league=league,
        logger=LoggerSettings(dump_steps=0),
        num_arenas=64,
        iterations=ITERATIONS,
        devices=1,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "build", lambda settings, physics: RockPaperScissors())
        return SelfPlay(settings)


def _exploitability(trainer, state):
    return exploitability(probabilities(trainer.policy, first_learner(jax.device_get(state.learner.policy))))


def test_exploitability_by_hand():
    assert exploitability(np.array([1, 0, 0])) == 1 and exploitability(np.ones(3) / 3) == 0
    assert exploitability(np.array([0.5, 0.3, 0.2])) == pytest.approx(0.5 - 0.2)  # paper beats rock, loses to scissors


def test_exploiters_take_turns():
    trainer = trainer_for(dataclasses.replace(LEAGUES["alphastar"], exploiter_interval=4))
    state, learned = trainer.init(), []
    assert trainer.settings.arena_steps_per_iteration == 64 * 8 * 1.5
    for _ in range(8):
        before = [np.asarray(leaf) for leaf in jax.tree.leaves(state.learner.policy.params)]
        state, metrics = trainer.iterate(state)
        after = jax.tree.leaves(state.learner.policy.params)
        learned.append(
            [any((x[role] != y[role]).any() for x, y in zip(before, after, strict=True)) for role in range(3)]
        )
        idle = [name for name in ("main_exploiter", "league_exploiter") if np.isnan(metrics[f"{name}/loss/total"])]
        assert [metrics[f"{name}/matches"] for name in idle] == [0] * len(idle)
        assert metrics["matches"] > 0 and np.isfinite(metrics["loss/total"]) and metrics["skipped_updates"] == 0
    turns = np.array(learned)
    np.testing.assert_array_equal(turns[:, 0], True)
    np.testing.assert_array_equal(np.flatnonzero(turns[:, 1]), [1, 5])
    np.testing.assert_array_equal(np.flatnonzero(turns[:, 2]), [2, 6])


def test_the_latest_self_goes_round_and_round():
    _, found = train(LEAGUES["latest"])
    assert np.mean(found) > 0.25


@pytest.mark.parametrize("league", ["pfsp", pytest.param("alphastar", marks=pytest.mark.slow)])
def test_a_league_finds_the_mixed_equilibrium(league):
    before, found = train(LEAGUES[league])
    assert before > 0.6 and np.mean(found) < 0.1
