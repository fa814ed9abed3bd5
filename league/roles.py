"""Roles of learners: which members each plays, when its snapshots join the pool, and when it is re-initialised.

`learner` does what the settings say. The others are those of AlphaStar's league (Vinyals et al., "Grandmaster level in
StarCraft II using multi-agent reinforcement learning", 2019, and its pseudocode): the main agent plays all members, the
main exploiter the main agent alone, and the league exploiter looks for what the whole league cannot beat. Where
AlphaStar plays against the current main agent, its newest snapshot plays here, since a match keeps its opponents.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from league import pool as pools
from league.matchmaking import MATCHMAKERS, Matchmaker, latest, prioritized
from league.pool import Pool, Record
from league.settings import LeagueSettings

_LOST, _EASY, _HOPELESS = 0.3, 0.7, 0.1  # thresholds of win rates in the pseudocode


class Role(NamedTuple):
    """The rules of a learner: whom it plays, when a snapshot is due, and how often one resets it."""

    matchmaker: Matchmaker  # (pool, record, settings) -> probabilities [K]
    due: Callable[[Pool, Record, jax.Array, LeagueSettings], jax.Array]  # (.., iteration, ..) -> [] bool
    reset_share: Callable[[LeagueSettings], float]  # probability that the learner is re-initialised after a snapshot
    interval: Callable[[LeagueSettings], int] = lambda settings: 1  # it plays in each iteration of so many


def by_settings(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns probabilities `[K]` by the matchmaker that `league.matchmaker` names."""
    return MATCHMAKERS[settings.matchmaker](pool, record, settings)


def enough_wins(pool: Pool, record: Record, iteration: jax.Array, settings: LeagueSettings) -> jax.Array:
    """Returns whether `[]` a snapshot is due: by the win rate since the last one, or by `snapshot_interval`.

    This is the rule of TimeChamber.
    """
    waited = _waited(pool, record, iteration) >= settings.snapshot_interval
    if settings.snapshot_win_rate is None:
        return waited
    games = record.since.sum()
    win_rate = (record.since[0] + record.since[1] / 2) / jnp.maximum(games, 1)
    return waited | ((games >= max(settings.snapshot_min_games, 1)) & (win_rate > settings.snapshot_win_rate))


def main(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns probabilities `[K]`: 50 % by `pfsp` over all members, 15 % to verify, 35 % its own newest snapshot.

    To verify means to play the exploiters that beat it; else its own old snapshots, if it no longer beats them all.
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
    """Returns probabilities `[K]`: the main agent's newest snapshot; while it wins too seldom, older ones by `var`."""
    newest = main_now(pool, record, settings)
    past = pools.drawable(pool) & _members_of_role(pool, settings, "main")
    hopeless = jnp.sum(record.results.win_rate() * newest) <= _HOPELESS
    return jnp.where(hopeless, _fallback(prioritized(record, past, "var"), newest), newest)


def main_now(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns probabilities `[K]`: 1 for the main agent's newest snapshot."""
    del record
    return latest(pool, pool.record(settings.roles.index("main")), settings)


def everybody(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns all members that can be drawn, `[K]` bool."""
    del record, settings
    return pools.drawable(pool)


def league_exploiter(pool: Pool, record: Record, settings: LeagueSettings) -> jax.Array:
    """Returns probabilities `[K]` by `pfsp` over all members, with the weight `capped`."""
    del settings
    return prioritized(record, pools.drawable(pool), "capped")


def in_turn(settings: LeagueSettings) -> int:
    """Returns the iterations of which an exploiter plays one."""
    return settings.exploiter_interval


def beats_all(opponents: Matchmaker) -> Callable[[Pool, Record, jax.Array, LeagueSettings], jax.Array]:
    """Builds AlphaStar's rule: a snapshot is due after `snapshot_interval`, or after half of it if all are beaten.

    All means the members to which `opponents` gives a positive probability. A member is beaten if the learner's win
    rate against it is above `snapshot_win_rate`.
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
    "main_exploiter": Role(main_exploiter, beats_all(main_now), lambda settings: 1.0, in_turn),
    "league_exploiter": Role(league_exploiter, beats_all(everybody), lambda settings: settings.reset_share, in_turn),
}


def _members_of_role(pool: Pool, settings: LeagueSettings, role: str) -> jax.Array:
    """Returns which members are snapshots of the learner in `role`, `[K]` bool; none without such a learner."""
    return pool.role == (settings.roles.index(role) if role in settings.roles else len(settings.roles))


def _fallback(probability: jax.Array, instead: jax.Array) -> jax.Array:
    """Returns `probability` `[K]`, or `instead` `[K]` where it is 0 for all members."""
    return jnp.where(probability.sum() > 0, probability, instead)


def _waited(pool: Pool, record: Record, iteration: jax.Array) -> jax.Array:
    """Returns the iterations `[]` since the learner's last snapshot."""
    return iteration - pool.iteration[record.newest]
