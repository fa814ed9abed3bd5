"""A policy: actor and critic networks behind `init` and `apply`, with the normaliser they were trained with."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, struct

from mjx_arena.types import Box, Discrete
from ppo import normalizer
from ppo.distributions import Categorical, DiagonalGaussian, Distribution
from ppo.normalizer import RunningStatistics
from ppo.settings import PPOSettings

_ACTIVATIONS: dict[str, Callable] = {
    "tanh": jnp.tanh,
    "elu": linen.elu,
    "swish": linen.swish,
    "relu": linen.relu,
}


class PolicyState(struct.PyTreeNode):
    """All that decides how a policy plays. States of one architecture can be stacked along a new leading axis."""

    params: dict[str, Any]  # {"actor": ..., "critic": ...}, and for a `Box` "log_std" [n]
    normalizer: RunningStatistics


class MLP(linen.Module):
    """Fully connected layers; initial weights are orthogonal, with gain sqrt(2), and `output_gain` in the last."""

    hidden: tuple[int, ...]
    output: int
    activation: str
    output_gain: float

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for size in self.hidden:
            x = _ACTIVATIONS[self.activation](_dense(size, 2**0.5)(x))
        return _dense(self.output, self.output_gain)(x)


def _dense(size: int, gain: float) -> linen.Dense:
    return linen.Dense(size, kernel_init=linen.initializers.orthogonal(gain), dot_general=_product)


def _product(x: jax.Array, kernel: jax.Array, dimensions: Any, precision: Any = None, **_: Any) -> jax.Array:
    """Multiplies as `jax.lax.dot_general` does, with a gradient that is faster on a CPU.

    The gradient for a kernel, `x^T g`, goes to another matrix product of XLA than `x g` there, one that takes 1.6 times
    as long, and 8 times if the kernel is narrow. Transposing the narrower factor first, behind a barrier for XLA not to
    undo it, is cheap.
    """
    if jax.default_backend() != "cpu" or x.ndim != 2:
        return jax.lax.dot_general(x, kernel, dimensions, precision)
    return _product_on_cpu(x, kernel)


@jax.custom_vjp
def _product_on_cpu(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return x @ kernel


def _backward(kept: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    (x, kernel), fixed = kept, jax.lax.optimization_barrier
    narrow = kernel.shape[1] < kernel.shape[0]
    of_kernel = fixed(fixed(gradient.T) @ x).T if narrow else fixed(x.T) @ gradient
    return gradient @ kernel.T, of_kernel


_product_on_cpu.defvjp(lambda x, kernel: (x @ kernel, (x, kernel)), _backward)


class Policy:
    """Pure functions of a `PolicyState`. Observations `[..., O]` are raw: the policy normalises them itself."""

    def __init__(self, observation_size: int, action: Box | Discrete, settings: PPOSettings):
        self.observation_size, self.action, self.settings = observation_size, action, settings
        self._actor = MLP(tuple(settings.actor_hidden), action.size, settings.activation, output_gain=0.01)
        self._critic = MLP(tuple(settings.critic_hidden), 1, settings.activation, output_gain=1.0)

    def init(self, key: chex.PRNGKey) -> PolicyState:
        """Returns an untrained policy. Consumes `key`."""
        k_actor, k_critic = jax.random.split(key)
        observation = jnp.zeros(self.observation_size)
        params: dict[str, Any] = {
            "actor": self._actor.init(k_actor, observation),
            "critic": self._critic.init(k_critic, observation),
        }
        if isinstance(self.action, Box):
            params["log_std"] = jnp.full(self.action.size, self.settings.initial_log_std, jnp.float32)
        return PolicyState(params=params, normalizer=normalizer.init(self.observation_size))

    def constant(self, action: np.ndarray) -> PolicyState:
        """Returns a policy that always takes one action: controls `[n]` with the least noise, or a choice `[]`."""
        state = jax.tree.map(jnp.zeros_like, jax.eval_shape(self.init, jax.random.key(0)))
        layers, last = state.params["actor"]["params"], f"Dense_{len(self.settings.actor_hidden)}"
        is_box = isinstance(self.action, Box)
        bias = jnp.asarray(action) if is_box else 100.0 * jax.nn.one_hot(action, self.action.size)
        params = {**state.params, "actor": {"params": {**layers, last: {**layers[last], "bias": bias}}}}
        if is_box:
            params["log_std"] = jnp.full(self.action.size, self.settings.min_log_std)
        return PolicyState(params=params, normalizer=normalizer.init(self.observation_size))

    def apply(
        self, state: PolicyState, observation: jax.Array, mask: jax.Array | None = None
    ) -> tuple[Distribution, jax.Array]:
        """Returns the action distribution, and the value `[...]`, of `observation` `[..., O]`.

        `mask` `[..., n]` bool says which choices are legal, or which controls the seat has; None: all.
        """
        return self.distribution(state, observation, mask), self.value(state, observation)

    def distribution(self, state: PolicyState, observation: jax.Array, mask: jax.Array | None = None) -> Distribution:
        """Returns the action distribution alone; arguments as in `apply`."""
        output = self._actor.apply(state.params["actor"], normalizer.normalize(state.normalizer, observation))
        assert isinstance(output, jax.Array)
        if isinstance(self.action, Discrete):
            return Categorical.masked(output, mask)
        return DiagonalGaussian(output, jnp.broadcast_to(self.log_std(state), output.shape), mask)

    def log_std(self, state: PolicyState) -> jax.Array:
        """Returns the log standard deviation of each control `[n]`, within its bounds; for a `Box` alone."""
        return jnp.clip(state.params["log_std"], self.settings.min_log_std, self.settings.max_log_std)

    def value(self, state: PolicyState, observation: jax.Array) -> jax.Array:
        """Returns the value alone, the expected discounted return `[...]`."""
        output = self._critic.apply(state.params["critic"], normalizer.normalize(state.normalizer, observation))
        assert isinstance(output, jax.Array)
        return output[..., 0]
