"""Roles of learners: whom each plays, when a snapshot of it joins the pool, and when it starts anew.

`learner` goes by the settings. The others are those of AlphaStar's league (Vinyals et al., "Grandmaster level in
StarCraft II using multi-agent reinforcement learning", 2019, and its pseudocode), which trains one learner of each:
the main agent against all, the main exploiter against the main agent alone, the league exploiter against whatever the
league cannot beat. Where AlphaStar plays the main agent as it is, its newest snapshot plays here: a match keeps its
opponents.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from league import pool as pools
from league.matchmaking import MATCHMAKERS, Matchmaker, latest, prioritized
from league.pool import Pool, Record
from league.settings import LeagueSettings

_LOST, _EASY, _HOPELESS = 0.3, 0.7, 0.1  # win rates that the pseudocode goes by


class Role(NamedTuple):
    matchmaker: Matchmaker  # (pool, record, settings) -> probabilities [K]
    due: Callable[[Pool, Record, jax.Array, LeagueSettings], jax.Array]  # (.., iteration, ..) -> [] bool
    reset_share: Callable[[LeagueSettings], float]  # of the snapshots, after which the learner starts anew


def by_settings(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Probabilities `[K]` of the matchmaker that `league.matchmaker` names."""
    return MATCHMAKERS[settings.matchmaker](pool, record, settings)


def enough_wins(pool: Pool, record: Record, iteration: jax.Array, settings: LeagueSettings) -> jax.Array:
    """`[]` bool: the learner has won enough since its last snapshot, or that is long enough ago. TimeChamber's gate."""
    waited = _waited(pool, record, iteration) >= settings.snapshot_interval
    if settings.snapshot_win_rate is None:
        return waited
    games = record.since.sum()
    win_rate = (record.since[0] + record.since[1] / 2) / jnp.maximum(games, 1)
    return waited | ((games >= max(settings.snapshot_min_games, 1)) & (win_rate > settings.snapshot_win_rate))


def main(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Probabilities `[K]`: half the draws by `pfsp` over all, 15 % to verify, 35 % its own newest snapshot.

    To verify means to play exploiters that beat it, or else its own past that it does not beat any more.
    """
    drawn, x = pools.drawable(pool), record.results.win_rate()
    exploiters = drawn & _members_of_role(pool, settings, "main_exploiter")
    past = drawn & _members_of_role(pool, settings, "main")
    newest = latest(pool, record, settings)
    itself = jnp.where(x[record.newest] > _LOST, newest, _fallback(prioritized(record, past, "var"), newest))
    verify = jnp.where(
        jnp.any(exploiters & (x < _LOST)),
        prioritized(record, exploiters, "hard"),
        jnp.where(jnp.any(past & (x < _EASY)), prioritized(record, past, "hard"), itself),
    )
    return 0.5 * prioritized(record, drawn, "hard") + 0.15 * verify + 0.35 * itself


def main_exploiter(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Probabilities `[K]`: the main agent's newest snapshot, or while that is hopeless, its past by `var`."""
    newest = main_now(pool, record, settings)
    past = pools.drawable(pool) & _members_of_role(pool, settings, "main")
    hopeless = jnp.sum(record.results.win_rate() * newest) <= _HOPELESS
    return jnp.where(hopeless, _fallback(prioritized(record, past, "var"), newest), newest)


def main_now(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """The main agent's newest snapshot, as probabilities `[K]`."""
    del record
    return latest(pool, pool.record(settings.roles.index("main")), settings)


def everybody(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """All members that can be drawn, `[K]` bool."""
    del record, settings
    return pools.drawable(pool)


def league_exploiter(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Probabilities `[K]`: all members by the weight `capped`."""
    del settings
    return prioritized(record, pools.drawable(pool), "capped")


def beats_all(opponents: Matchmaker) -> Callable[[Pool, Record, jax.Array, LeagueSettings], jax.Array]:
    """The gate of AlphaStar: `snapshot_interval` have passed, or half of them and all `opponents` are beaten.

    Beaten is whom the learner wins more than `snapshot_win_rate` against. Opponents are those of positive probability.
    """

    def due(pool: Pool, record: Record, iteration: jax.Array, settings: LeagueSettings) -> jax.Array:
        waited = _waited(pool, record, iteration)
        if settings.snapshot_win_rate is None:
            return waited >= settings.snapshot_interval
        met = opponents(pool, record, settings) > 0
        beaten = jnp.where(met, record.results.win_rate(), 1.0).min() > settings.snapshot_win_rate
        half = (waited >= settings.snapshot_interval // 2) & (record.since.sum() >= settings.snapshot_min_games)
        return (waited >= settings.snapshot_interval) | (half & beaten)

    return due


ROLES: dict[str, Role] = {
    "learner": Role(by_settings, enough_wins, lambda settings: 0.0),
    "main": Role(main, beats_all(everybody), lambda settings: 0.0),
    "main_exploiter": Role(main_exploiter, beats_all(main_now), lambda settings: 1.0),
    "league_exploiter": Role(league_exploiter, beats_all(everybody), lambda settings: settings.reset_share),
}


def _members_of_role(pool: Pool, settings: LeagueSettings, role: str) -> jax.Array:
    """`[K]` bool: snapshots of the learner in that role, of whom there may be none."""
    return pool.role == (settings.roles.index(role) if role in settings.roles else len(settings.roles))


def _fallback(probability: jax.Array, instead: jax.Array) -> jax.Array:
    """`probability` `[K]`, or `instead` where it is nothing."""
    return jnp.where(probability.sum() > 0, probability, instead)


def _waited(pool: Pool, record: Record, iteration: jax.Array) -> jax.Array:
    """Iterations since the learner's last snapshot."""
    return iteration - pool.iteration[record.newest]
