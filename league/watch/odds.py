"""The probability that a seat wins, from what the players expect.

A policy's value is a discounted return, not a probability. Of two that play by the same rewards the difference tells
who is ahead; how much a point of it is worth is learned from how matches ended: a logistic regression of the result on
the difference, begun with what the champions' matches gave and continued with every match that is watched.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np

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
    """Returns slope and offset `[2]` of a logistic regression by Newton's method, held near `prior` `[2]`.

    `points` `[n, 2]` hold a lead and a result in [0, 1] each.
    """
    features, result = np.stack([points[:, 0], np.ones(len(points))], 1), points[:, 1]
    weights = prior.copy()
    for _ in range(20):
        expected = _logistic(features @ weights)
        gradient = features.T @ (expected - result) + _PRIOR_WEIGHT * (weights - prior)
        curvature = (features.T * (expected * (1 - expected))) @ features + _PRIOR_WEIGHT * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -50, 50)))
