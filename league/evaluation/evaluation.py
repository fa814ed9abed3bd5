"""Plays one policy in pairings: against itself, its past or the untrained policy, in variants of the task."""

import json
from typing import Any, NamedTuple

import chex
import jax
import numpy as np
from jax.sharding import Mesh

from league.evaluation.evaluator import Evaluator, Records, stack
from league.evaluation.pairings import Pairing
from league.evaluation.sources import Source
from mjx_arena import devices, registry
from mjx_arena.arena import Arena
from mjx_arena.trajectory import Film
from mjx_arena.validation import replace_nested, require
from ppo.policy import PolicyState


class Score(NamedTuple):
    """Results of one policy in one pairing; rates are shares of its matches."""

    matches: int
    wins: float
    draws: float
    losses: float
    wins_of_decided: float  # wins as a share of the matches that were not drawn; NaN without any
    survival: float  # share of matches that the time limit ended
    mean_length: float  # control steps
    mean_rank: float  # 1 is best, ties share the mean
    mean_return: float  # sum of rewards in a match
    metrics: dict[str, float]  # {name: mean over matches} of what the task measures
    report: dict[str, float]  # {name: figure} that the task computes from all matches
    by_side: dict[str, dict[str, float]]  # side -> shares of wins, draws and losses on it; empty in a game of one side


class Evaluation:
    """Plays the newest policy of `source` in pairings with other policies of `source`."""

    def __init__(self, source: Source, mesh: Mesh, num_matches: int, sampled: bool):
        self.source, self.mesh, self.num_matches, self.sampled = source, mesh, num_matches, sampled
        self.subject = source.newest()
        self._evaluators: dict[Any, Evaluator] = {}

    def play(self, pairing: Pairing, key: chex.PRNGKey) -> Score:
        """Plays a pairing and returns the newest policy's score. Raises SettingError for an unknown opponent."""
        opponent = self._member(pairing.opponent)
        return duel(self._evaluator(pairing), self.subject.state, opponent, self.num_matches, key)[0]

    def film(self, pairing: Pairing, key: chex.PRNGKey, num_matches: int) -> list[Film]:
        """Plays `num_matches` with the newest policy in the first seat, and returns them. Raises as `play` does."""
        agents = self.source.arena.num_agents
        slot = np.tile(np.minimum(np.arange(agents), 1), (num_matches, 1))
        members = stack([self.subject.state, self._member(pairing.opponent)])
        evaluator = self._evaluator(pairing)
        return evaluator.film([members], slot, key, evaluator.arena.time_limit)

    def arena(self, pairing: Pairing) -> Arena:
        """Returns the arena in which a pairing is played."""
        return self._evaluator(pairing).arena

    def names(self, pairing: Pairing) -> list[str]:
        """Returns the name of the player in each seat of a film."""
        own = f"iteration {self.subject.iteration}"
        others: dict[str | float, str] = {"self": own, "initial": "untrained", "idle": "nobody"}
        other = (
            others.get(pairing.opponent) or f"iteration {self.source.at_fraction(float(pairing.opponent)).iteration}"
        )
        return [own] + [other] * (self.source.arena.num_agents - 1)

    def _member(self, opponent: str | float) -> PolicyState:
        if opponent == "self":
            return self.subject.state
        if opponent == "initial":
            return self.source.at_fraction(0.0).state
        if opponent == "idle":
            return self.source.policy.constant(self.source.arena.idle_action)
        require(
            isinstance(opponent, float), "opponent", opponent, "must be self, initial, idle, or a share such as 0.1"
        )
        return self.source.at_fraction(float(opponent)).state

    def _evaluator(self, pairing: Pairing) -> Evaluator:
        """Returns the evaluator for the pairing's variant of the task and its engine; builds each only once."""
        settings = self.source.settings
        physics = settings.physics if pairing.physics is None else pairing.physics
        variant = (json.dumps(pairing.task, sort_keys=True), physics)
        if variant not in self._evaluators:
            arena = registry.build(replace_nested(settings.task, pairing.task, "task"), physics)
            mesh = devices.make_mesh(1) if physics.one_device else self.mesh
            self._evaluators[variant] = Evaluator(arena, [self.source.policy], mesh, physics.wanted_block, self.sampled)
        return self._evaluators[variant]


def duel(
    evaluator: Evaluator, first: PolicyState, second: PolicyState, num_matches: int, key: chex.PRNGKey
) -> tuple[Score, Records]:
    """Plays `first` in a random seat of every match, `second` in the others; returns its score, and the records."""
    k_seat, k_play = jax.random.split(key)
    agents = evaluator.arena.num_agents
    seat = np.asarray(jax.random.randint(k_seat, (num_matches,), 0, agents))
    records = evaluator.play([stack([first, second])], np.arange(agents) != seat[:, None], k_play)
    return score(seat, records, evaluator.arena), records


def ranks(outcome: np.ndarray, agents: int) -> np.ndarray:
    """Returns ranks `[...]` from 1 (best) to `agents` for outcomes `[...]` from +1 to -1."""
    return 1 + (1 - outcome) * (agents - 1) / 2


def _by_side(own: np.ndarray, seat: np.ndarray, arena: Arena) -> dict[str, dict[str, float]]:
    """Returns side -> shares of wins, draws and losses there, from outcomes `own` `[M]` in seats `[M]`."""
    side, shares_by_side = np.array(arena.sides)[seat], {}
    for number, name in enumerate(arena.names_of_sides):
        there = own[side == number]
        if there.size:
            shares = {"wins": there > 0, "draws": there == 0, "losses": there < 0}
            shares_by_side[name] = {key: float(value.mean()) for key, value in shares.items()}
    return shares_by_side


def score(seat: np.ndarray, records: Records, arena: Arena) -> Score:
    """Returns the score of the player in `seat` `[M]`; matches in which physics broke are left out."""
    seat, records = seat[records.valid], jax.tree.map(lambda x: x[records.valid], records)
    own, returns = (np.take_along_axis(x, seat[:, None], 1)[:, 0] for x in (records.outcome, records.returns))
    wins, losses = float((own > 0).mean()), float((own < 0).mean())
    decided = wins + losses
    return Score(
        matches=own.shape[0],
        wins=wins,
        draws=float((own == 0).mean()),
        losses=losses,
        wins_of_decided=wins / decided if decided else float("nan"),
        survival=float(1 - records.terminated.mean()),
        mean_length=float(records.length.mean()),
        mean_rank=float(ranks(own, records.outcome.shape[1]).mean()),
        mean_return=float(returns.mean()),
        metrics={name: float(value.mean()) for name, value in records.metrics.items()},
        report=arena.report(own, np.asarray(records.length), {k: np.asarray(v) for k, v in records.metrics.items()}),
        by_side=_by_side(own, seat, arena),
    )
