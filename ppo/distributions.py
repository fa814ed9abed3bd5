"""The two action distributions. Leading axes of every field are batch axes."""

import math

import chex
import jax
import jax.numpy as jnp
from flax import struct

ILLEGAL = -1e9  # logit of an illegal choice: -inf would make NaN of the entropy


class DiagonalGaussian(struct.PyTreeNode):
    """Independent normal controls, which the arena clips to [-1, 1]. Controls whose `mask` is false are ignored."""

    mean: jax.Array  # [..., n]
    log_std: jax.Array  # [..., n]
    mask: jax.Array | None = None  # [..., n] bool: controls that the seat has; the others are padding

    def sample(self, key: chex.PRNGKey) -> jax.Array:
        """Draws controls `[..., n]`. Consumes `key`."""
        return self.drawn(jax.random.normal(key, self.mean.shape))

    def drawn(self, noise: jax.Array) -> jax.Array:
        """Returns the controls `[..., n]` that standard normal `noise` `[..., n]` draws; zeros draw the mode."""
        return self.mean + jnp.exp(self.log_std) * noise

    def mode(self) -> jax.Array:
        """Returns the most likely controls `[..., n]`."""
        return self.mean

    def log_prob(self, action: jax.Array) -> jax.Array:
        """Returns the log density `[...]` of actions `[..., n]`."""
        z = (action - self.mean) * jnp.exp(-self.log_std)
        return self._sum(-0.5 * jnp.square(z) - self.log_std - 0.5 * math.log(2 * math.pi))

    def entropy(self) -> jax.Array:
        """Returns the differential entropy `[...]` in nats."""
        return self._sum(self.log_std + 0.5 * math.log(2 * math.pi * math.e))

    def excess(self) -> jax.Array:
        """Returns the squares of how far means lie beyond [-1, 1], summed over controls `[...]`."""
        return self._sum(jnp.square(jnp.maximum(jnp.abs(self.mean) - 1, 0)))

    def _sum(self, x: jax.Array) -> jax.Array:
        return jnp.sum(x if self.mask is None else jnp.where(self.mask, x, 0), -1)


class Categorical(struct.PyTreeNode):
    """One of n choices; the logit of an illegal choice is `ILLEGAL`."""

    logits: jax.Array  # [..., n]

    @classmethod
    def masked(cls, logits: jax.Array, mask: jax.Array | None) -> "Categorical":
        """Builds a distribution in which choices with a false `mask` `[..., n]` are never drawn; one must be true."""
        return cls(logits if mask is None else jnp.where(mask, logits, ILLEGAL))

    def sample(self, key: chex.PRNGKey) -> jax.Array:
        """Draws choices `[...]` int32. Consumes `key`."""
        return jax.random.categorical(key, self.logits)

    def drawn(self, noise: jax.Array) -> jax.Array:
        """Returns the choices `[...]` int32 that `noise` `[..., n]` draws; zeros draw the mode.

        The noise is standard Gumbel's: where logit and noise add up to most is a draw of the softmax (the "Gumbel-max
        trick", Maddison, Tarlow and Minka, "A* Sampling", 2014), and is how `sample` draws too.
        """
        return jnp.argmax(self.logits + noise, -1)

    def mode(self) -> jax.Array:
        """Returns the most likely choices `[...]` int32."""
        return jnp.argmax(self.logits, -1)

    def log_prob(self, action: jax.Array) -> jax.Array:
        """Returns the log probability `[...]` of choices `[...]`."""
        return jnp.take_along_axis(jax.nn.log_softmax(self.logits), action[..., None], -1)[..., 0]

    def entropy(self) -> jax.Array:
        """Returns the entropy `[...]` in nats."""
        log_p = jax.nn.log_softmax(self.logits)
        return -jnp.sum(jnp.exp(log_p) * log_p, -1)

    def excess(self) -> jax.Array:
        """Returns 0 `[...]`: choices have no range to leave."""
        return jnp.zeros(self.logits.shape[:-1])


Distribution = DiagonalGaussian | Categorical
