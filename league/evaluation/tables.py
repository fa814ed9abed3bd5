"""Builds the tables that an evaluation prints."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from league.evaluation.evaluation import Score
from league.evaluation.payoff import wilson
from league.evaluation.sources import Contestant
from league.evaluation.tournament import Tournament

_ALONE = ("success", "95 %", "survival", "return", "length")
_AGAINST_OTHERS = ("wins", "draws", "losses", "of decided", "survival", "length", "rank")


def names_of(contestants: Sequence[Contestant]) -> tuple[list[str], list[str]]:
    """Returns a short name of each contestant, and the label of its line in charts: its run, and its role."""
    runs = len({contestant.source for contestant in contestants}) > 1
    roles = len({contestant.role for contestant in contestants}) > 1
    lines = [
        " ".join([*([Path(e.source).stem] if runs else []), *([e.role.replace("_", " ")] if roles or not runs else [])])
        for e in contestants
    ]
    steps = [str(contestant.iteration) if contestant.iteration else "untrained" for contestant in contestants]
    return [f"{line} {step}" if runs or roles else step for line, step in zip(lines, steps, strict=True)], lines


def ladder_table(result: Tournament, names: Sequence[str], title: str) -> Table:
    """Builds the table of a tournament's contestants, best first; with win rates by side in a game of several."""
    table = Table(title=title)
    ranked = result.mean_rank is not None
    sides = [f"as {name}" for name in result.side_names]
    for column in (
        "policy",
        "rating",
        "95 %",
        "ahead by",
        "win rate",
        *sides,
        *(["rank"] if ranked else []),
        "Nash",
        "vs Nash",
    ):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for place in result.ratings.rating.argsort()[::-1]:
        low, high = result.ratings.low[place], result.ratings.high[place]
        cells = [names[place], f"{result.ratings.rating[place]:.0f}", f"{low:.0f} to {high:.0f}"]
        cells += [ahead(float(result.ratings.ahead_low[place]), float(result.ratings.ahead_high[place]))]
        cells += [f"{score[place]:.1%}" for score in (result.score, *result.score_by_side)]
        cells += [f"{result.mean_rank[place]:.2f}"] if result.mean_rank is not None else []
        table.add_row(*cells, f"{result.nash[place]:.2f}", f"{result.against_nash[place]:.1%}")
    return table


def ahead(low: float | None, high: float | None) -> str:
    """Returns the interval of the difference to the next one below; nothing for the last, which has none."""
    return "" if low is None or np.isnan(low) else f"{low:.0f} to {high:.0f}"


def pairings_table(title: str, scores: Mapping[str, Score], alone: bool) -> Table:
    """Builds the table of a policy's scores in pairings; `alone` in a task of one agent, where to succeed is to win."""
    table = Table(title=title)
    for column in ("pairing", *(_ALONE if alone else _AGAINST_OTHERS)):
        table.add_column(column, justify="left" if column == "pairing" else "right")
    for name, score in scores.items():
        table.add_row(name, *(_alone if alone else _against_others)(score))
        for side, part in score.by_side.items():
            table.add_row(f"  as {side}", *(f"{part[key]:.1%}" for key in ("wins", "draws", "losses")))
    return table


def _alone(score: Score) -> list[str]:
    """Returns the cells of the columns `_ALONE`."""
    low, high = wilson(score.wins, score.matches)
    shares = [f"{score.wins:.1%}", f"{low:.1%} to {high:.1%}", f"{score.survival:.1%}"]
    return [*shares, f"{score.mean_return:.1f}", f"{score.mean_length:.0f}"]


def _against_others(score: Score) -> list[str]:
    """Returns the cells of the columns `_AGAINST_OTHERS`."""
    shares = (score.wins, score.draws, score.losses, score.wins_of_decided, score.survival)
    return [*(f"{share:.1%}" for share in shares), f"{score.mean_length:.0f}", f"{score.mean_rank:.2f}"]
