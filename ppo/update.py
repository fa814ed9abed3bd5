"""One PPO update: epochs of minibatches over a trajectory. Updates that are not finite are skipped."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax
import optax.contrib
from flax import struct
from jax.flatten_util import ravel_pytree

from mjx_arena.batch import where
from mjx_arena.symmetry import Symmetry
from mjx_arena.types import Box
from ppo import normalizer
from ppo.gae import generalized_advantage
from ppo.loss import Samples, ppo_loss
from ppo.policy import Policy, PolicyState
from ppo.rollout import Trajectory
from ppo.settings import PPOSettings

NONFINITE = "nonfinite/"  # how the names of metrics begin that count what is not finite; a log leaves out zeros


class LearnerState(struct.PyTreeNode):
    """A policy in training."""

    policy: PolicyState
    optimizer: Any  # optax state
    learning_rate: jax.Array  # []


class Learner:
    """Pure functions that create and train a `LearnerState`; `axis_name` is the mesh axis to average over, if any."""

    def __init__(
        self, policy: Policy, settings: PPOSettings, axis_name: str | None = None, symmetry: Symmetry | None = None
    ):
        self.policy, self.settings, self.axis_name = policy, settings, axis_name
        self.symmetry = symmetry if settings.symmetry else None
        self._optimizer = optax.chain(optax.clip_by_global_norm(settings.max_grad_norm), _direction(settings.optimizer))

    def init(self, key: chex.PRNGKey) -> LearnerState:
        """Returns a learner with an untrained policy. Consumes `key`."""
        policy = self.policy.init(key)
        return LearnerState(
            policy=policy,
            optimizer=self._optimizer.init(policy.params),
            learning_rate=jnp.float32(self.settings.learning_rate),
        )

    def update(
        self,
        learner: LearnerState,
        trajectory: Trajectory,
        key: chex.PRNGKey,
        progress: jax.Array,
        schedule_from: jax.Array | None = None,
    ) -> tuple[LearnerState, dict[str, jax.Array]]:
        """Learns from this device's trajectory; returns the learner and metrics `{name: []}`. Consumes `key`.

        `progress` `[]` in [0, 1] is the share of the run that is done. `schedule_from` `[]` is the learning rate that
        a linear schedule falls from; None: that of the settings. The observation normaliser takes in the trajectory
        at the end, so it is frozen while probability ratios are formed.

        Raises ValueError where the samples do not divide into minibatches.
        """
        s = self.settings
        if s.learning_rate_schedule == "linear":
            rate = jnp.float32(s.learning_rate) if schedule_from is None else schedule_from
            learner = learner.replace(learning_rate=rate * (1 - progress))
        target_kl = s.target_kl * kl_share(progress, s.target_kl_decay)
        samples, advantage = self._samples(trajectory)
        size = samples.weight.shape[0]
        num_minibatches = s.minibatches(size if self.axis_name is None else size * jax.lax.axis_size(self.axis_name))
        if size % num_minibatches:
            raise ValueError(f"{size} samples do not divide into {num_minibatches} minibatches")

        def epoch(carry, key):
            order = shuffled(key, size).reshape(num_minibatches, size // num_minibatches)
            sides = jnp.zeros_like(order, bool)
            if self.symmetry is not None:
                sides = jax.random.bernoulli(jax.random.split(key)[0], shape=order.shape)

            def minibatch(carry, drawn):
                index, side = drawn
                chosen = _take(samples, index)
                chosen = chosen if self.symmetry is None else self._reflected(self.symmetry, chosen, side)
                return self._minibatch(carry[0], carry[1], chosen)

            return jax.lax.scan(minibatch, carry, (order, sides))

        carry = (learner, jnp.bool_(False))
        (learner, _), reports = jax.lax.scan(epoch, carry, jax.random.split(key, s.epochs))
        # The KL of an iteration's first minibatch is 0 by construction: of one alone it tells nothing.
        if s.learning_rate_schedule == "adaptive" and s.epochs * num_minibatches > 1:
            finite = ~reports["nonfinite"][-1].any(-1)
            kl = jnp.sum(jnp.where(finite, reports["kl"][-1], 0)) / jnp.maximum(finite.sum(), 1)
            adapted = adapt_learning_rate(learner.learning_rate, kl, target_kl, s)
            learner = learner.replace(learning_rate=jnp.where(finite.any(), adapted, learner.learning_rate))
        applied, ratio, nonfinite = (reports.pop(name) for name in ("applied", "ratio", "nonfinite"))
        # Means over the minibatches that were applied: a skipped one may hold NaN.
        metrics = {
            name: jnp.sum(jnp.where(applied, value, 0)) / jnp.maximum(applied.sum(), 1)
            for name, value in reports.items()
        }
        metrics |= {
            "learning_rate": learner.learning_rate,
            "updates": jnp.int32(applied.size),
            "skipped_updates": nonfinite.any(-1).sum(),
            "explained_variance": self._explained_variance(samples),
            **self._extremes(advantage, trajectory.weight, jnp.where(applied[..., None], ratio, -jnp.inf).max((0, 1))),
            **self._counts(trajectory),
            **dict(zip((f"{NONFINITE}loss", f"{NONFINITE}gradient"), nonfinite.sum((0, 1)), strict=True)),
        }
        if isinstance(self.policy.action, Box):
            log_std = self.policy.log_std(learner.policy)
            metrics |= {"log_std": log_std.mean(), "action_std": jnp.exp(log_std).mean()}
        statistics = normalizer.update(learner.policy.normalizer, samples.observation, samples.weight, self.axis_name)
        finite = _all_finite(statistics)
        statistics = jax.tree.map(lambda new, old: jnp.where(finite, new, old), statistics, learner.policy.normalizer)
        return learner.replace(policy=learner.policy.replace(normalizer=statistics)), metrics

    def _samples(self, t: Trajectory) -> tuple[Samples, jax.Array]:
        """Flattens time and rows to B = T R samples; advantages are normalised over all devices.

        Returns the advantages `[T, R]` from before that too.
        """
        advantage, target = generalized_advantage(
            t.reward, t.value, t.last_value, t.terminated, t.truncated, t.final_value, self.settings.gamma,
            self.settings.gae_lambda,
        )  # fmt: skip
        plain = advantage
        if self.settings.normalize_advantage:
            total = jnp.maximum(self._sum(jnp.sum(t.weight)), 1)
            mean = self._sum(jnp.sum(advantage * t.weight)) / total
            variance = self._sum(jnp.sum(jnp.square(advantage - mean) * t.weight)) / total
            advantage = (advantage - mean) * jax.lax.rsqrt(variance + 1e-8)
        samples = Samples(t.observation, t.action_mask, t.action, t.log_prob, t.value, advantage, target, t.weight)
        return jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), samples), plain

    def _reflected(self, symmetry: Symmetry, samples: Samples, side: jax.Array) -> Samples:
        """Replaces samples by their images where `side` `[B]` is true.

        Each keeps its probability, advantage and target. In the image of the match the image of the policy would have
        acted, with that very probability: so ratios stay those of importance sampling.
        """
        is_box, mask = isinstance(self.policy.action, Box), samples.action_mask
        act = symmetry.action if is_box else symmetry.action.of_choice
        return samples.replace(
            observation=where(side, symmetry.observation(samples.observation), samples.observation),
            action=where(side, act(samples.action), samples.action),
            action_mask=None if mask is None else where(side, symmetry.action.of_mask(mask), mask),
            reflected=side,
        )

    def _minibatch(self, learner: LearnerState, stopped: jax.Array, samples: Samples):
        """Takes one gradient step, unless it is not finite or the KL divergence has reached `stop_kl`."""
        s, params = self.settings, learner.policy.params
        (loss, report), gradient = jax.value_and_grad(ppo_loss, has_aux=True)(
            params, learner.policy, self.policy, samples, s
        )
        ratio = jnp.stack([-report.pop("ratio_min"), report.pop("ratio_max")])  # of this device, not to be averaged
        loss, report, gradient = self._mean((loss, report, gradient))
        # Of finite entries above 1.8e19 the norm is not finite, and clipping by it would leave a gradient of zeros.
        norm = optax.global_norm(gradient)
        finite = _all_finite((loss, norm))
        stopped = stopped | (report["kl"] > s.stop_kl if s.stop_kl is not None else False)
        apply = finite & ~stopped

        direction, optimizer = self._optimizer.update(gradient, learner.optimizer, params)
        new_params = jax.tree.map(lambda p, d: p - learner.learning_rate * d, params, direction)
        params, optimizer = jax.tree.map(
            lambda new, old: jnp.where(apply, new, old), (new_params, optimizer), (params, learner.optimizer)
        )
        learner = learner.replace(policy=learner.policy.replace(params=params), optimizer=optimizer)
        report |= {"loss/total": loss, "gradient_norm": norm, "applied": apply, "ratio": ratio}
        return (learner, stopped), report | {"nonfinite": ~jnp.isfinite(jnp.stack([loss, norm]))}

    def _extremes(self, advantage: jax.Array, weight: jax.Array, ratio: jax.Array) -> dict[str, jax.Array]:
        """Returns the least and the greatest ratio and advantage `{name: []}` of all devices; infinite over nothing.

        Takes advantages and weights `[T, R]`, and `ratio` `[2]`, this device's least, negated, and its greatest one.
        """
        both = jnp.where(weight > 0, jnp.stack([-advantage, advantage]), -jnp.inf).max((1, 2))
        greatest = jnp.concatenate([both, ratio])
        if self.axis_name is not None:
            greatest = jax.lax.pmax(greatest, self.axis_name)
        return {
            "advantage_min": -greatest[0],
            "advantage_max": greatest[1],
            "ratio_min": -greatest[2],
            "ratio_max": greatest[3],
        }

    def _counts(self, t: Trajectory) -> dict[str, jax.Array]:
        """Returns `{name: []}`: how much of what the policy said was not finite, and its share of saturated controls.

        Those are controls of 1 and more, in size, which the arena clips.
        """
        sums = (~jnp.isfinite(jnp.stack([t.value, t.log_prob]))).sum((1, 2), dtype=jnp.float32)
        is_box = isinstance(self.policy.action, Box)
        if is_box:
            own = (t.weight > 0)[..., None] & (True if t.action_mask is None else t.action_mask)
            own = jnp.broadcast_to(own, t.action.shape)
            saturated = jnp.stack([own & (jnp.abs(t.action) >= 1), own]).sum((1, 2, 3), dtype=jnp.float32)
            sums = jnp.concatenate([sums, saturated])
        totals = self._sum(sums)
        counts = {f"{NONFINITE}{name}": totals[i].astype(jnp.int32) for i, name in enumerate(("value", "log_prob"))}
        return counts | ({"saturated_actions": totals[2] / jnp.maximum(totals[3], 1)} if is_box else {})

    def _sum(self, x):
        return x if self.axis_name is None else jax.lax.psum(x, self.axis_name)

    def _mean(self, tree):
        """Returns the mean over devices of a pytree, sent as one vector: each message costs more than its content."""
        if self.axis_name is None:
            return tree
        vector, unravel = ravel_pytree(tree)
        return unravel(jax.lax.pmean(vector, self.axis_name))

    def _explained_variance(self, samples: Samples) -> jax.Array:
        """Returns `1 - Var[target - value] / Var[target]` `[]`, with the values from before the update."""
        weight = samples.weight
        total = jnp.maximum(self._sum(jnp.sum(weight)), 1)

        def variance(x):
            mean = self._sum(jnp.sum(x * weight)) / total
            return self._sum(jnp.sum(jnp.square(x - mean) * weight)) / total

        return 1 - variance(samples.target - samples.value) / jnp.maximum(variance(samples.target), 1e-8)


def _direction(name: str) -> optax.GradientTransformation:
    """Returns the optimiser `name` without its rate: what it makes of a gradient is to be subtracted."""
    if name == "adam":
        return optax.scale_by_adam(eps=1e-5)
    # Steps of a matrix have the length that Adam's have, so both go with the same rates (Liu et al., arXiv:2502.16982).
    return optax.chain(optax.contrib.muon(1.0, consistent_rms=0.2, eps=1e-5), optax.scale(-1.0))


def shuffled(key: chex.PRNGKey, size: int) -> jax.Array:
    """Returns the numbers below `size` in random order `[size]`, from one sort of random bits above each number.

    Nine times as fast on a CPU as `jax.random.permutation`, which sorts pairs twice. Numbers with equal random bits
    come in ascending order, which affects their order within a minibatch much more than which minibatch they are in.
    """
    bits = size.bit_length()
    packed = (jax.random.bits(key, (size,)) << bits) | jnp.arange(size, dtype=jnp.uint32)
    return jnp.sort(packed) & (2**bits - 1)


def kl_share(progress: jax.Array, decay: float) -> jax.Array:
    """Returns the factor `[]` on the target KL: 1, but over the last share `decay` of the run it falls to 0.

    It falls as a square: the KL of a step grows with the square of its length, so the learning rate falls linearly.
    """
    left = (1 - progress) / decay if decay else jnp.ones_like(progress)
    return jnp.square(jnp.clip(left, 0, 1))


def adapt_learning_rate(
    learning_rate: jax.Array, kl: jax.Array, target_kl: jax.Array, settings: PPOSettings
) -> jax.Array:
    """Returns the rate `[]` for the next iteration, after one whose last epoch had the divergence `kl`.

    KL grows with the square of the steps' length, so the rate changes by the root of target over KL; by 1.5 at most,
    and within `learning_rate_min` and `_max`. rsl_rl (Rudin et al., arXiv:2109.11978, appendix) changes it after each
    minibatch instead. There it swings: it rises while an iteration's KL is still small, the steps grow by as much as
    1.5 with each minibatch until the KL is beyond the target, and the rest of the minibatches takes tiny ones.
    """
    factor = jnp.clip(jnp.sqrt(target_kl / jnp.maximum(kl, 1e-8)), 1 / 1.5, 1.5)
    return jnp.clip(learning_rate * factor, settings.learning_rate_min, settings.learning_rate_max)


def _take(samples: Samples, index: jax.Array) -> Samples:
    return jax.tree.map(lambda x: x[index], samples)


def _all_finite(tree: Any) -> jax.Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()
