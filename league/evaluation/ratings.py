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
    """Ratings of K players, with 95 % intervals.

    Ratings have no origin of their own. 1000 is the mean in which each player counts by how much its games tell about
    its strength: next to nothing where it always loses, so that how bad it is, which nobody can tell, leaves the
    intervals of the others alone. Neighbours' intervals may overlap though all games say which of them is better: see
    `ahead`.
    """

    rating: np.ndarray  # [K]
    low: np.ndarray  # [K] lower end of the interval
    high: np.ndarray  # [K] upper end of the interval
    ahead: np.ndarray  # [K] points ahead of the next one below; NaN for the last
    ahead_low: np.ndarray  # [K] lower end of that difference's interval
    ahead_high: np.ndarray  # [K] upper end of that difference's interval


def bradley_terry(results: np.ndarray, seed: int = 0) -> Ratings:
    """Rates by results `[K, K, 3]` of row against column, a draw half a win; intervals by bootstrap over games.

    Bradley and Terry, "Rank analysis of incomplete block designs" (1952), on Elo's scale. What games tell about a
    player is the Fisher information of their results about its strength.
    """
    rng = np.random.default_rng(seed)
    strength = _fit(results)
    samples = np.array([_fit(_resampled(results, rng)) for _ in range(_RESAMPLES)])
    chance = 1 / (1 + np.exp((strength - strength[:, None]) / SCALE))
    information = np.sum(results.sum(-1) * chance * (1 - chance), 1)
    return _anchored(strength, samples, information)


def plackett_luce(lineups: np.ndarray, ranks: np.ndarray, num_players: int, seed: int = 0) -> Ratings:
    """Rates by `lineups` `[M, A]` of players and their `ranks` `[M, A]`, with OpenSkill.

    Only the order of the ranks in a match counts: the lowest is best, equal ones are ties; they may be fractions.
    Weng and Lin, "A Bayesian approximation method for online ranking" (2011). Intervals by bootstrap over the matches.
    """
    rng = np.random.default_rng(seed)
    order = rankdata(ranks, "dense", axis=1)  # OpenSkill drops fractions, so it takes 1.2 and 1.4 for a tie
    strengths, precisions = [], []
    for _ in range(20):  # each in another order, on which these ratings depend
        chosen = rng.integers(0, len(lineups), len(lineups))
        strength, precision = _rate(lineups[chosen], order[chosen], num_players)
        strengths.append(strength)
        precisions.append(precision)
    samples = np.array(strengths)
    return _anchored(np.median(samples, 0), samples, np.mean(precisions, 0))


def _anchored(strength: np.ndarray, samples: np.ndarray, information: np.ndarray) -> Ratings:
    """Returns the ratings of `strength` `[K]`, in points, with intervals from `samples` of it `[N, K]`."""
    weight = information / information.sum()
    rating = CENTRE + strength - strength @ weight
    samples = CENTRE + samples - (samples @ weight)[:, None]
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    best_first = np.argsort(-rating)
    gaps = np.full((3, len(rating)), np.nan)
    gaps[0, best_first[:-1]] = -np.diff(rating[best_first])
    gaps[1:, best_first[:-1]] = np.percentile(-np.diff(samples[:, best_first]), [2.5, 97.5], axis=0)
    return Ratings(rating, low, high, *gaps)


def _fit(results: np.ndarray) -> np.ndarray:
    wins = results[..., 0] + results[..., 1] / 2
    return SCALE * choix.ilsr_pairwise_dense(wins.astype(float), alpha=_RIDGE)


def _resampled(results: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = np.zeros_like(results)
    for i in range(len(results)):
        for j in range(i):
            games = results[i, j].sum()
            if games:
                drawn[i, j] = rng.multinomial(games, results[i, j] / games)
                drawn[j, i] = drawn[i, j][::-1]
    return drawn


def _rate(lineups: np.ndarray, ranks: np.ndarray, num_players: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns strengths in points, and how certain each is: one over the variance, `[K]` both."""
    model = PlackettLuce()
    players = [model.rating() for _ in range(num_players)]
    for lineup, rank in zip(lineups, ranks, strict=True):
        teams = [[players[player]] for player in lineup]
        for player, [rated] in zip(lineup, model.rate(teams, ranks=rank.tolist()), strict=True):
            players[player] = rated
    mean, deviation = np.array([(player.mu, player.sigma) for player in players]).T
    return SCALE * mean / model.beta, 1 / deviation**2
