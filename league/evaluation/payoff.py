"""Statistics of a table of results: win rates with intervals, its cyclic share, and its Nash equilibrium."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.stats import norm

_ROUNDING = 1e-10  # log odds of this size and less are taken for errors of rounding


def win_rate(results: np.ndarray) -> np.ndarray:
    """Returns (wins + draws / 2) / games `[...]` for wins, draws and losses `[..., 3]`; 1/2 for no games."""
    games = results.sum(-1)
    return np.where(games > 0, (results[..., 0] + results[..., 1] / 2) / np.maximum(games, 1), 0.5)


def wilson(rate: npt.ArrayLike, games: npt.ArrayLike, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lower and upper ends `[...]` of a rate's confidence interval: Wilson, "Probable inference" (1927).

    The formula is for results without draws; with draws the interval is wider than necessary.
    """
    z = norm.ppf(0.5 + confidence / 2)
    rate, games = np.asarray(rate), np.asarray(games)
    games = np.maximum(games, 1e-12)
    middle = (rate + z**2 / (2 * games)) / (1 + z**2 / games)
    half = z * np.sqrt(rate * (1 - rate) / games + z**2 / (4 * games**2)) / (1 + z**2 / games)
    return middle - half, middle + half


def cyclic_share(rate: np.ndarray) -> float:
    """Returns the share, in [0, 1], of a matrix `[K, K]` of win rates in (0, 1) that ratings cannot explain.

    It is 0 where all rates are 1/2, but for rounding; else the cyclic part in the Hodge decomposition of the log odds:
    Balduzzi et al., "Re-evaluating Evaluation" (2018), section 2.
    """
    odds = np.log(rate) - np.log1p(-rate)
    np.fill_diagonal(odds, 0)
    size = np.square(odds).mean()
    rating = odds.mean(1)
    cyclic = odds - (rating[:, None] - rating)
    return float(np.square(cyclic).mean() / size) if size > _ROUNDING**2 else 0.0


def smoothed_rate(results: np.ndarray) -> np.ndarray:
    """Returns win rates `[...]` of results `[..., 3]` with one more, drawn game, so that none is 0 or 1."""
    return (results[..., 0] + results[..., 1] / 2 + 0.5) / (results.sum(-1) + 1)


def nash(rate: np.ndarray) -> np.ndarray:
    """Returns the weights `[K]` of a Nash equilibrium of the symmetric zero-sum game with win rates `rate` `[K, K]`."""
    payoff = 2 * rate - 1
    payoff = (payoff - payoff.T) / 2
    size = len(payoff)
    # Maximise v such that every pure strategy of the other side gets at most -v against the weights.
    solution = linprog(
        np.append(np.zeros(size), -1),
        A_ub=np.column_stack([-payoff.T, np.ones(size)]),
        b_ub=np.zeros(size),
        A_eq=np.append(np.ones(size), 0)[None],
        b_eq=[1],
        bounds=[(0, None)] * size + [(None, None)],
    )
    weights = np.maximum(solution.x[:size], 0)
    return weights / weights.sum()
