"""Rates the players of a finished tournament, with intervals, by maintained solvers. For runs see `league.elo`."""

from typing import NamedTuple

import choix
import numpy as np
from openskill.models import PlackettLuce
from scipy.stats import rankdata

CENTRE, SCALE = 1000.0, 400 / np.log(10)  # Elo's scale: a difference of 400 means odds of 10 to 1
_RIDGE = 1e-3  # keeps ratings finite where a player won all its games
_RESAMPLES = 200


class Ratings(NamedTuple):
    """Ratings of K players, with 95 % intervals."""

    rating: np.ndarray  # [K]
    low: np.ndarray  # [K] lower end of the interval
    high: np.ndarray  # [K] upper end of the interval


def bradley_terry(results: np.ndarray, seed: int = 0) -> Ratings:
    """Rates by results `[K, K, 3]` of row against column, a draw half a win; intervals by bootstrap over games.

    Bradley and Terry, "Rank analysis of incomplete block designs" (1952), on Elo's scale, mean 1000.
    """
    rng = np.random.default_rng(seed)
    rating = _fit(results)
    samples = np.array([_fit(_resampled(results, rng)) for _ in range(_RESAMPLES)])
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    return Ratings(rating, low, high)


def plackett_luce(lineups: np.ndarray, ranks: np.ndarray, num_players: int, seed: int = 0) -> Ratings:
    """Rates by `lineups` `[M, A]` of players and their `ranks` `[M, A]`, with OpenSkill; mean 1000.

    Only the order of the ranks in a match counts: the lowest is best, equal ones are ties; they may be fractions.
    Weng and Lin, "A Bayesian approximation method for online ranking" (2011). Intervals by bootstrap over the matches.
    """
    rng = np.random.default_rng(seed)
    order = rankdata(ranks, "dense", axis=1)  # OpenSkill drops fractions, so it takes 1.2 and 1.4 for a tie
    samples = []
    for _ in range(20):  # each in another order, on which these ratings depend
        chosen = rng.integers(0, len(lineups), len(lineups))
        samples.append(_rate(lineups[chosen], order[chosen], num_players))
    low, rating, high = np.percentile(samples, [2.5, 50, 97.5], axis=0)
    return Ratings(rating, low, high)


def _fit(results: np.ndarray) -> np.ndarray:
    wins = results[..., 0] + results[..., 1] / 2
    strength = choix.ilsr_pairwise_dense(wins.astype(float), alpha=_RIDGE)
    return CENTRE + SCALE * (strength - strength.mean())


def _resampled(results: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = np.zeros_like(results)
    for i in range(len(results)):
        for j in range(i):
            games = results[i, j].sum()
            if games:
                drawn[i, j] = rng.multinomial(games, results[i, j] / games)
                drawn[j, i] = drawn[i, j][::-1]
    return drawn


def _rate(lineups: np.ndarray, ranks: np.ndarray, num_players: int) -> np.ndarray:
    model = PlackettLuce()
    players = [model.rating() for _ in range(num_players)]
    for lineup, rank in zip(lineups, ranks, strict=True):
        teams = [[players[player]] for player in lineup]
        for player, [rated] in zip(lineup, model.rate(teams, ranks=rank.tolist()), strict=True):
            players[player] = rated
    skill = np.array([player.mu for player in players])
    return CENTRE + SCALE * (skill - skill.mean()) / model.beta
