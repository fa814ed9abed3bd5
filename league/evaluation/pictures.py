"""Draws charts of evaluations: ratings over training, win rates as a heat map, and distances."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure  # and not pyplot, which would want a display, or change a notebook's

from league.evaluation.payoff import win_rate
from league.evaluation.sources import Contestant
from league.evaluation.tournament import Tournament
from mjx_arena.trajectory import Film

_MOST_NUMBERS = 20  # contestants up to which the cells of the heat map are labelled


def draw_ladder(path: Path, tournament: Tournament, contestants: Sequence[Contestant], labels: Sequence[str]) -> None:
    """Draws rating against training step with 95 % intervals; contestants with equal `labels` share a line."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    steps = np.array([contestant.arena_steps for contestant in contestants]) / 1e6
    rating, low, high = tournament.ratings[:3]
    for label in dict.fromkeys(labels):
        own = np.array([index for index, other in enumerate(labels) if other == label])
        own = own[np.argsort(steps[own])]
        bars = np.maximum([rating[own] - low[own], high[own] - rating[own]], 0)
        axis.errorbar(steps[own], rating[own], bars, marker="o", markersize=4, capsize=3, label=label)
    axis.set(xlabel="million arena steps of training", ylabel="rating (400 points: odds of 10 to 1)")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=110)


def draw_distance(path: Path, films: Sequence[Film]) -> None:
    """Draws an agent's distance in m over time: a line for each episode, with a mark where it ends."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    for film in films:
        (line,) = axis.plot(film.time, film.metrics["last/distance"], linewidth=1, alpha=0.7)
        axis.plot(film.time[-1], film.metrics["last/distance"][-1], "o", color=line.get_color(), markersize=4)
    axis.set(xlabel="time, s", ylabel="distance, m")
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def draw_payoff(path: Path, tournament: Tournament, names: Sequence[str]) -> None:
    """Draws win rates of row against column as a heat map; a draw is half a win."""
    players = len(names)
    rate = 100 * win_rate(tournament.results)
    np.fill_diagonal(rate, np.nan)
    size = 2.5 + 0.4 * players
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(rate, cmap="RdBu", vmin=0, vmax=100)
    axis.set_xticks(range(players), names, rotation=60, ha="right")
    axis.set_yticks(range(players), names)
    axis.set(xlabel="against", title="win rate in %, draws as half")
    if players <= _MOST_NUMBERS:
        for row, column in np.argwhere(np.isfinite(rate)):
            value = rate[row, column]
            colour = "white" if abs(value - 50) > 30 else "black"
            axis.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, shrink=0.8)
    figure.savefig(path, dpi=110)
