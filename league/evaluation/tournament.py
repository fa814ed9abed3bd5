"""A tournament of frozen policies: all meet each other in every seat, in one program; then they are rated."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.stats import spearmanr

from league.evaluation import payoff, ratings
from league.evaluation.evaluation import ranks
from league.evaluation.evaluator import Evaluator, Records, stack
from league.evaluation.policy_file import architecture
from league.evaluation.ratings import Ratings
from league.evaluation.sources import Contestant
from mjx_arena.arena import Arena


class Tournament(NamedTuple):
    """Results and ratings of K contestants, in the order of their list."""

    results: np.ndarray  # [K, K, 3] wins, draws and losses of row against column
    ratings: Ratings
    mean_rank: np.ndarray | None  # [K] in matches of more than two agents; else None
    nash: np.ndarray  # [K] weights in a Nash equilibrium
    score: np.ndarray  # [K] mean win rate against the others
    against_nash: np.ndarray  # [K] expected win rate against that equilibrium
    cyclic_share: float  # share of the results that ratings cannot explain
    matches: int
    void: int  # matches that do not count: drills, and those in which physics left the finite numbers
    side_names: tuple[str, ...]  # S names; none in a game of one side
    by_side: list[np.ndarray]  # S arrays [K, K, 3]: results of rows that played this side

    @property
    def score_by_side(self) -> list[np.ndarray]:
        """Returns the mean win rates on each side: S arrays `[K]`."""
        return [_score(results) for results in self.by_side]

    def as_dict(self, contestants: Sequence[Contestant], names: Sequence[str]) -> dict[str, Any]:
        """Returns all of it as plain data for JSON."""
        rate = payoff.win_rate(self.results)
        low, high = payoff.wilson(rate, self.results.sum(-1))
        ahead = {name: getattr(self.ratings, name) for name in ("ahead", "ahead_low", "ahead_high")}
        members = [
            {
                "name": name,
                "source": contestant.source,
                "role": contestant.role,
                "iteration": contestant.iteration,
                "arena_steps": contestant.arena_steps,
                "rating": self.ratings.rating[place],
                "rating_low": self.ratings.low[place],
                "rating_high": self.ratings.high[place],
                **{name: None if np.isnan(values[place]) else values[place] for name, values in ahead.items()},
                "win_rate": self.score[place],
                "nash_weight": self.nash[place],
                "win_rate_against_nash": self.against_nash[place],
                "mean_rank": None if self.mean_rank is None else self.mean_rank[place],
            }
            for place, (contestant, name) in enumerate(zip(contestants, names, strict=True))
        ]
        for side, results in zip(self.side_names, self.by_side, strict=True):
            for member, score in zip(members, _score(results), strict=True):
                member[f"win_rate_as_{side}"] = score
        table = {"results": self.results, "win_rate": rate, "win_rate_low": low, "win_rate_high": high}
        whole = {"matches": self.matches, "void": self.void, "cyclic_share": self.cyclic_share}
        sides = zip(self.side_names, self.by_side, strict=True)
        whole["results_by_side"] = {side: results.tolist() for side, results in sides}
        whole["rating_step_correlation"] = rating_step_correlation(contestants, self.ratings)
        return whole | {"members": members} | {name: np.round(values, 6).tolist() for name, values in table.items()}


def play(
    evaluator: Evaluator, contestants: Sequence[Contestant], matches: int, seed: int
) -> tuple[np.ndarray, Records]:
    """Plays a schedule with `matches` for each pair; returns its line-ups `[M, A]` and their records.

    Each A consecutive matches, the same players in other seats, share a start. Unrated matches are marked as not valid.
    """
    groups, place = grouped(contestants)
    lineups = schedule(len(contestants), evaluator.arena.num_agents, matches, seed)
    stacks = [stack([contestants[index].state for index in group]) for group in groups]
    records = evaluator.play(stacks, place[lineups], jax.random.key(seed), repeated=True)
    return lineups, records.replace(valid=records.valid & records.rated)


def grouped(contestants: Sequence[Contestant]) -> tuple[list[list[int]], np.ndarray]:
    """Groups contestants by architecture; returns the groups, and each one's number when counted through them."""
    groups: dict[str, list[int]] = {}
    for index, contestant in enumerate(contestants):
        groups.setdefault(str(architecture(contestant.policy)), []).append(index)
    order = [index for group in groups.values() for index in group]
    return list(groups.values()), np.argsort(order)


def schedule(players: int, agents: int, matches: int, seed: int) -> np.ndarray:
    """Returns line-ups `[M, agents]` in random order: each with its rotations by one seat, so that all play all seats.

    With two agents, every pair meets `matches` times, rounded up to even. With more, line-ups are drawn until a pair
    has met about `matches` times; where there are fewer players than seats, some sit in several.
    """
    rng = np.random.default_rng(seed)
    if agents == 2:
        pairs = np.array([(i, j) for i in range(players) for j in range(i)])
        lineups = np.repeat(pairs, -(-matches // 2), axis=0)
        rng.shuffle(lineups)
    else:
        pairs, pairs_in_match = players * (players - 1) / 2, agents * (agents - 1) / 2
        count = int(np.ceil(matches * pairs / pairs_in_match / agents))
        # Whole rounds of all players in random order, cut into line-ups: all play equally often.
        rounds = -(-count * agents // players) + 1
        order = np.concatenate([rng.permutation(players) for _ in range(rounds)])
        lineups = order[: count * agents].reshape(count, agents)
    turned = [np.roll(lineups, seat, axis=1) for seat in range(agents)]
    return np.stack(turned, 1).reshape(len(lineups) * agents, agents)


def tabulate(
    lineups: np.ndarray, records: Records, players: int, seats_of_row: Sequence[int] | None = None
) -> np.ndarray:
    """Counts wins, draws and losses `[K, K, 3]` of row against column in matches of `lineups` `[M, A]`.

    The player with the higher outcome wins. With `seats_of_row`, such as those of one side, only matches count in which
    the row sat in one of these seats.
    """
    results = np.zeros((players, players, 3), int)
    outcome = np.asarray(records.outcome)[records.valid]
    seats = np.asarray(lineups)[records.valid]
    for one in range(seats.shape[1]) if seats_of_row is None else seats_of_row:
        for other in range(seats.shape[1]):
            if one != other:
                column = 1 - np.sign(outcome[:, one] - outcome[:, other]).astype(int)
                np.add.at(results, (seats[:, one], seats[:, other], column), 1)
    results[np.arange(players), np.arange(players)] = 0  # a policy that met itself
    return results


def judge(lineups: np.ndarray, records: Records, players: int, seed: int, arena: Arena) -> Tournament:
    """Computes ratings and statistics from the records of `lineups` `[M, A]` in `arena`."""
    results = tabulate(lineups, records, players)
    smoothed = payoff.smoothed_rate(results)
    np.fill_diagonal(smoothed, 0.5)
    nash = payoff.nash(smoothed)
    seats_by_side = [np.flatnonzero(np.array(arena.sides) == side) for side in range(len(arena.names_of_sides))]
    by_side = [tabulate(lineups, records, players, own.tolist()) for own in seats_by_side]
    agents, mean_rank = lineups.shape[1], None
    if agents > 2:
        seats, outcome = lineups[records.valid], np.asarray(records.outcome)[records.valid]
        rank = ranks(outcome, agents)
        mean_rank = np.array([rank[seats == player].mean() for player in range(players)])
        rated = ratings.plackett_luce(seats, rank, players, seed)
    else:
        rated = ratings.bradley_terry(results, seed)
    return Tournament(
        results=results,
        ratings=rated,
        mean_rank=mean_rank,
        nash=nash,
        score=_score(results),
        against_nash=smoothed @ nash,
        cyclic_share=payoff.cyclic_share(smoothed),
        matches=len(lineups),
        void=int(np.sum(~records.valid)),
        side_names=arena.names_of_sides,
        by_side=by_side,
    )


def _score(results: np.ndarray) -> np.ndarray:
    """Returns the mean win rates `[K]` of rows against the columns that they have met."""
    met = results.sum(-1) > 0
    return np.sum(payoff.win_rate(results) * met, 1) / np.maximum(met.sum(1), 1)


def rating_step_correlation(contestants: Sequence[Contestant], rated: Ratings) -> dict[str, float]:
    """Returns source and role -> Spearman's correlation of rating with training step; needs three contestants."""
    correlations = {}
    for source, role in dict.fromkeys((contestant.source, contestant.role) for contestant in contestants):
        own = [
            index
            for index, contestant in enumerate(contestants)
            if (contestant.source, contestant.role) == (source, role)
        ]
        if len(own) >= 3:
            steps = [contestants[index].arena_steps for index in own]
            correlations[f"{source} {role}"] = float(np.asarray(spearmanr(steps, rated.rating[own]))[0])
    return correlations
