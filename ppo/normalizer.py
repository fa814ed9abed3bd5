"""Running mean and variance of observations, exact however long a run is.

A float32 counter stops counting near 1e7 samples, and a float32 mean stops moving when its increments fall below half
a unit in the last place. So the count is a pair of integers, and mean and variance carry the error of their last sum
along (Kahan's compensated summation).
"""

import jax
import jax.numpy as jnp
from flax import struct

CLIP = 10.0  # standard deviations from the mean that normalised observations are cut to
_LOW_BITS = 24


class RunningStatistics(struct.PyTreeNode):
    """Count, mean and variance of all observations so far; O numbers each."""

    count_high: jax.Array  # [] uint32; the count is count_high * 2**24 + count_low
    count_low: jax.Array  # [] uint32
    mean: jax.Array  # [O]
    mean_error: jax.Array  # [O] what rounding has kept out of `mean`
    variance: jax.Array  # [O]
    variance_error: jax.Array  # [O] what rounding has kept out of `variance`


def init(size: int) -> RunningStatistics:
    """Returns statistics of no samples: mean 0 and variance 1, so that normalising changes nothing."""
    zeros = jnp.zeros(size)
    return RunningStatistics(jnp.uint32(0), jnp.uint32(0), zeros, zeros, jnp.ones(size), zeros)


def count(statistics: RunningStatistics) -> jax.Array:
    """Returns the number of samples `[]` as float32, rounded to 7 digits; the state holds it exactly."""
    return statistics.count_high.astype(jnp.float32) * 2**_LOW_BITS + statistics.count_low.astype(jnp.float32)


def update(
    statistics: RunningStatistics, samples: jax.Array, weight: jax.Array, axis_name: str | None = None
) -> RunningStatistics:
    """Merges `samples` `[B, O]` whose `weight` `[B]` is 1 (0 leaves a sample out), over all devices of `axis_name`.

    Merging follows Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances"
    (1979), with the population variance in place of the sum of squares.
    """

    def total(x):
        x = jnp.sum(x, 0)
        return x if axis_name is None else jax.lax.psum(x, axis_name)

    samples = jnp.where(weight[:, None] > 0, samples, 0)  # samples of weight 0 may hold NaN, and 0 * NaN is NaN
    batch_count = total(weight.astype(jnp.uint32))
    size = jnp.maximum(batch_count.astype(jnp.float32), 1)
    batch_mean = total(samples * weight[:, None]) / size
    batch_variance = total(jnp.square(samples - batch_mean) * weight[:, None]) / size

    share = batch_count.astype(jnp.float32) / jnp.maximum(count(statistics) + batch_count.astype(jnp.float32), 1)
    shift = batch_mean - statistics.mean
    spread = batch_variance - statistics.variance + (1 - share) * jnp.square(shift)
    mean, mean_error = _add(statistics.mean, statistics.mean_error, share * shift)
    variance, variance_error = _add(statistics.variance, statistics.variance_error, share * spread)

    low = statistics.count_low + batch_count
    return RunningStatistics(
        count_high=statistics.count_high + (low >> _LOW_BITS),
        count_low=low & (2**_LOW_BITS - 1),
        mean=mean,
        mean_error=mean_error,
        variance=variance,
        variance_error=variance_error,
    )


def scale(statistics: RunningStatistics) -> jax.Array:
    """Returns `1 / standard deviation` `[O]`, which a number that never changes does not make infinite."""
    return jax.lax.rsqrt(jnp.maximum(statistics.variance, 1e-8))


def normalize(statistics: RunningStatistics, observation: jax.Array) -> jax.Array:
    """Returns `(observation - mean) / standard deviation` `[..., O]`, clipped to `[-CLIP, CLIP]`."""
    return jnp.clip((observation - statistics.mean) * scale(statistics), -CLIP, CLIP)


def _add(total: jax.Array, error: jax.Array, increment: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the new total, and the part of `increment` that rounding kept out of it: one step of Kahan's sum."""
    increment = increment + error
    new_total = total + increment
    return new_total, increment - (new_total - total)
