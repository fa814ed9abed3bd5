"""Online Elo ratings, in the program. They depend on the order of games; those to report come from the evaluation."""

import jax
import jax.numpy as jnp

INITIAL = 1000.0
_K, _SCALE = 32.0, 400.0


def expected_score(rating: jax.Array, other: jax.Array) -> jax.Array:
    """Of the first against the second, by their ratings: Elo, "The Rating of Chessplayers" (1978)."""
    return 1 / (1 + 10 ** ((other - rating) / _SCALE))


def updated(learner: jax.Array, members: jax.Array, counts: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Ratings of learner `[]` and members `[K]` after `counts` `[K, 3]` of its wins, draws and losses.

    All games with a member in one call count as one with their mean score, and the learner moves by the mean over the
    members it met: an iteration's thousands of games would otherwise throw the ratings about.
    """
    games = counts.sum(1)
    score = (counts[:, 0] + counts[:, 1] / 2) / jnp.maximum(games, 1)
    surprise = jnp.where(games > 0, score - expected_score(learner, members), 0)
    met = jnp.maximum((games > 0).sum(), 1)
    return learner + _K * surprise.sum() / met, members - _K * surprise
