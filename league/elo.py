"""Online Elo ratings, for watching a run. They depend on the order of games; for results use `league.evaluation`."""

import jax
import jax.numpy as jnp

INITIAL = 1000.0
_K, _SCALE = 32.0, 400.0


def expected_score(rating: jax.Array, other: jax.Array) -> jax.Array:
    """Returns the score expected of a player against `other`, in [0, 1]: Elo, "The Rating of Chessplayers" (1978)."""
    return 1 / (1 + 10 ** ((other - rating) / _SCALE))


def updated(learner: jax.Array, members: jax.Array, counts: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the ratings of learner `[]` and members `[K]` after `counts` `[K, 3]` of its wins, draws and losses.

    All games against one member count as one game with their mean score, and the learner's rating changes by the mean
    over the members that it met. Otherwise the thousands of games of an iteration would make ratings jump.
    """
    games = counts.sum(1)
    score = (counts[:, 0] + counts[:, 1] / 2) / jnp.maximum(games, 1)
    surprise = jnp.where(games > 0, score - expected_score(learner, members), 0)
    met = jnp.maximum((games > 0).sum(), 1)
    return learner + _K * surprise.sum() / met, members - _K * surprise
