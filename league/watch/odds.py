"""The probability that a seat wins, from what the players expect.

A policy's value is a discounted return, not a probability. Of two that play by the same rewards the difference tells
who is ahead; how much a point of it is worth is learned from how matches ended: a logistic regression of the result on
the difference, begun with what the champions' matches gave and continued with every match that is watched.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

_KEPT = 4000  # points of past matches
_PER_MATCH = 20
_PRIOR_WEIGHT = 1.0  # of the ridge that holds slope and offset at the values they began with


class Odds:
    """Turns values into probabilities of a win; `slope` and `offset` are those to begin with."""

    def __init__(self, slope: float = 0.3, offset: float = 0.0):
        self.weights = self._prior = np.array([slope, offset])
        self._points: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def probability(self, values: Sequence[float | None], seat: int) -> float | None:
        """Returns the probability that `seat` wins, with values for each seat; None where one is not known."""
        lead = lead_of(values, seat)
        return None if lead is None else float(_logistic(self.weights @ [lead, 1.0]))

    def learn(self, leads: Sequence[float], outcome: float) -> None:
        """Takes in a match of one seat: its `leads` in the order of time, and its outcome from +1 to -1."""
        if len(leads) == 0:
            return
        chosen = np.linspace(0, len(leads) - 1, min(_PER_MATCH, len(leads))).round().astype(int)
        self._points.extend((leads[index], (1 + outcome) / 2) for index in chosen)
        self.weights = fit(np.array(self._points), self._prior)


def lead_of(values: Sequence[float | None], seat: int) -> float | None:
    """Returns by how much the value of `seat` exceeds the mean of the others; for one alone it is its value."""
    if any(value is None for value in values):
        return None
    known = [float(value or 0.0) for value in values]
    others = known[:seat] + known[seat + 1 :]
    return known[seat] - (float(np.mean(others)) if others else 0.0)


def fit(points: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Returns slope and offset `[2]` of a logistic regression that a ridge holds near `prior` `[2]`.

    `points` `[n, 2]` hold a lead and a result in [0, 1] each. Without the ridge, leads that tell every result apart
    would ask for an endless slope.
    """
    features, result = np.stack([points[:, 0], np.ones(len(points))], 1), points[:, 1]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        x, away = features @ weights, weights - prior
        misfit = np.logaddexp(0, x) - result * x
        gradient = features.T @ (_logistic(x) - result) + _PRIOR_WEIGHT * away
        return float(misfit.sum() + _PRIOR_WEIGHT / 2 * away @ away), gradient

    return minimize(loss, prior, jac=True).x


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -50, 50)))
