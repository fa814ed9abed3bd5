"""What an iteration reports: metrics `{name: []}` from its learners' updates, its matches and the pool."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from league.matches import StepStatistics
from league.pool import Pool, Record
from ppo.update import NONFINITE


def of_iteration(
    updates: dict[str, jax.Array],
    totals: StepStatistics,
    pool: Pool,
    roles: Sequence[str],
    per_step: int,
    side_names: Sequence[str],
) -> dict[str, Any]:
    """Returns metrics of the first learner, of others as `<role>/<name>`, and of the whole run.

    Takes what the updates report `{name: [R]}` and sums of statistics `[R, ...]` over devices and steps, of which
    `per_step` are means of a device: their number.
    """
    metrics: dict[str, Any] = {}
    for role, name in enumerate(roles):
        own = {key: value[role] for key, value in updates.items() if not key.startswith(NONFINITE)}
        part = jax.tree.map(lambda x, role=role: x[role], totals)
        own |= _of_matches(part, pool, pool.record(role), per_step) | _of_sides(part.by_side, side_names)
        metrics |= {key if role == 0 else f"{name}/{key}": value for key, value in own.items()}
    # The run loop stops where all updates are skipped: one learner that no longer learns is enough.
    metrics |= {"skipped_updates": updates["skipped_updates"].max(), "nonfinite_arenas": totals.broken.sum()}
    return metrics | {"league/members": pool.occupied.sum()}


def _of_matches(totals: StepStatistics, pool: Pool, record: Record, per_step: int) -> dict[str, jax.Array]:
    """Returns one learner's metrics; a rate of no matches is NaN."""
    ended = totals.matches + totals.exercises
    wins, draws, losses = totals.results.sum(0)
    games = wins + draws + losses
    played = pool.occupied & (record.results.decayed.sum(1) > 0)
    return {
        "reward": totals.reward / per_step,
        "episode_return": totals.returns / totals.agent_episodes,
        "match_length": totals.match_steps / ended,
        "matches": totals.matches,
        "draw_rate": totals.draws / totals.matches,
        "exercise_survival": totals.exercise_survivals / totals.exercises,
        "league/games": games,
        "league/win_rate": (wins + draws / 2) / games,
        "league/win_rate_pool": jnp.sum(record.results.win_rate() * played) / played.sum(),
        "league/elo": record.elo,
    } | {name: value / (ended if name.startswith("last/") else per_step) for name, value in totals.metrics.items()}


def _of_sides(by_side: jax.Array, side_names: Sequence[str]) -> dict[str, jax.Array]:
    """Returns win rates by side from results `[S, K, 3]`; none in a game of one side."""
    metrics = {}
    for name, results in zip(side_names, by_side.sum(1), strict=True):
        metrics[f"league/win_rate/{name}"] = (results[0] + results[1] / 2) / results.sum()
    return metrics
