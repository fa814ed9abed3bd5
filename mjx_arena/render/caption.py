"""What is written into a film, clock, players, points, reward terms and keys, and how it follows from episodes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mjx_arena.trajectory import Film
from mjx_arena.types import View

WHITE = (1.0, 1.0, 1.0)
_USUAL = 0.95  # share of the steps whose largest term fits into its bar; what is paid once, as for a win, may exceed it


class Player(NamedTuple):
    """A line about one agent."""

    seat: str  # such as a colour
    name: str  # of who plays there
    colour: tuple[float, float, float] = WHITE  # RGB from 0 to 1
    points: int | None = None  # None: the game has none


class Caption(NamedTuple):
    """What is written into one frame."""

    time: float  # s since the match began
    players: tuple[Player, ...] = ()
    total: float | None = None  # sum of the first agent's rewards so far
    terms: tuple[tuple[str, float], ...] = ()  # reward terms by name, from -1 to +1 of a bar's length
    keys: tuple[tuple[str, bool], ...] = ()  # names of keyboard keys, and whether each is held
    notes: tuple[str, ...] = ()  # further lines of text

    @property
    def clock(self) -> str:
        """Returns the time as minutes, seconds and hundredths."""
        hundredths = round(100 * self.time)
        return f"{hundredths // 6000}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"


class Captions:
    """The captions of a film of several episodes, whose players have `names`; points add up over the episodes."""

    def __init__(self, films: Sequence[Film], view: View, names: Sequence[str] = ()):
        self._films, self._view, self._names = films, view, names
        terms = {name for film in films for name in film.metrics if name.startswith("reward/")}
        paid = {name: np.concatenate([film.metrics[name] for film in films]) for name in sorted(terms)}
        self._terms = {
            name: name.removeprefix("reward/").replace("_", " ") for name, values in paid.items() if values.any()
        }
        largest = np.abs([paid[name] for name in self._terms] or [[0.0]]).max(0)
        self._full = np.quantile(largest, _USUAL) or largest.max() or 1.0
        self._before = [np.zeros(len(names), int)]  # [A] points before each match
        for film in films:
            self._before.append(self._before[-1] + self._points(film, len(film)))

    def at(self, match: int, time: float) -> Caption:
        """Returns the caption of `match` (from 0) at `time` s. What a control step pays is shown while it is played."""
        film, view = self._films[match], self._view
        step = min(math.ceil(time / film.control_dt - 1e-6), len(film))
        points = self._before[match] + self._points(film, step)
        seats = view.seats or [f"seat {index}" for index in range(len(self._names))]
        colours = view.colours or [WHITE] * len(self._names)
        players = [
            Player(seat, name, colour, None if view.points is None else int(own))
            for seat, name, colour, own in zip(seats, self._names, colours, points, strict=False)
        ]
        terms = [
            (label, float(np.clip(film.metrics[name][step] / self._full, -1, 1))) for name, label in self._terms.items()
        ]
        return Caption(
            time=time,
            players=tuple(players),
            total=float(film.reward[: step + 1, 0].sum()),
            terms=tuple(terms),
            keys=tuple((key, bool(film.metrics[f"key/{key}"][step])) for key in view.keys),
        )

    def _points(self, film: Film, step: int) -> np.ndarray:
        """Returns the points `[A]` of the pose after `step`."""
        if self._view.points is None:
            return np.zeros(len(self._names), int)
        return np.array(self._view.points(film.qpos[step])[: len(self._names)], int)
