"""The last control steps of every arena, kept in case one breaks, and those of the arenas that broke.

What is kept is what happened. To play an iteration again would cost nothing before something breaks, but that takes
another program, whose last bits may differ where physics is about to explode (docs/runs.md).
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mjx_arena.types import ArenaState, TimeStep

KEPT = 8  # arenas that broke in one iteration, of each learner on each device
LEARNER = -1  # in the place of a slot: the learner itself


class Moment(struct.PyTreeNode):
    """One control step: the state that it began from, the actions, and what it paid. Random keys are their data."""

    state: ArenaState
    action: jax.Array  # [A, ...] as sampled
    reward: jax.Array  # [A]
    metrics: jax.Array  # [m] of the game, in the order of their names


class End(struct.PyTreeNode):
    """How an arena broke."""

    state: ArenaState  # after the step
    observation: jax.Array  # [2, A, O] before the step and after it
    player: jax.Array  # [A] int32 slot of the member in each seat, or LEARNER
    role: jax.Array  # [A] int32 as in `Pool.role`; of the learner anything
    snapshot: jax.Array  # [A] int32 iteration in which that member was taken; of the learner anything
    arena: jax.Array  # [] int32 its index among the device's arenas
    step: jax.Array  # [] int32 control step of the iteration, from 0
    length: jax.Array  # [] int32 how many of the K control steps before, the last ones, belong to the match


class Packed(struct.PyTreeNode):
    """The numbers of a tree, in the order of its leaves; see `unpacked`."""

    floats: jax.Array  # [..., p] float32
    whole: jax.Array  # [..., q] int32


class Broken(struct.PyTreeNode):
    """The first arenas that broke in the latest iteration in which any did, at most B = KEPT."""

    iteration: jax.Array  # [] int32 that iteration, from 1; 0: none yet
    count: jax.Array  # [] int32 those that are here
    moments: Packed  # [B, K, ...] of each its control steps, the oldest first
    ends: Packed  # [B, ...]


class History(struct.PyTreeNode):
    """The last K control steps of N arenas."""

    moments: Moment  # [K, N, ...] written round and round
    written: jax.Array  # [] int32 control steps so far
    iteration: jax.Array  # [] int32 the one that is being played, from 1
    step: jax.Array  # [] int32 control steps in it so far
    nonfinite: jax.Array  # [n] int32 arenas that broke in it, by what was not finite in them
    broken: Broken
    names: tuple[str, ...] = struct.field(pytree_node=False)  # of what is counted in `nonfinite`

    def at(self, iteration: jax.Array) -> "History":
        """Returns the history at the beginning of `iteration` `[]`, from 1."""
        none = jnp.zeros_like(self.nonfinite)
        return self.replace(iteration=iteration.astype(jnp.int32), step=jnp.int32(0), nonfinite=none)

    def after(
        self, moment: Moment, broken: jax.Array, metrics: Iterable[str], describe: Callable[[], End]
    ) -> "History":
        """Returns the history after the step `moment` `[N, ...]`, with `metrics`, in which `broken` `[N]` broke.

        `describe()`, `[N, ...]` but for `step` and `length`, is computed only where there are any.
        """
        place = self.written % len(self.moments.reward)
        moments = jax.tree.map(
            lambda ring, new: jax.lax.dynamic_update_index_in_dim(ring, new, place, 0), self.moments, moment
        )
        now = self.replace(moments=moments, written=self.written + 1)

        def look() -> tuple[Broken, jax.Array]:
            # Rewards and their terms are read from the ring, and actions are not: XLA then computes both where it did
            # before there was a ring, and no number of a run changes in its last bits.
            last, end = jax.tree.map(lambda ring: ring[place], moments), describe()
            parts = looked_at(last.replace(action=moment.action), end.state.physics, end.observation[:, 1], metrics)
            return _taken_in(now, broken, end), self.nonfinite + _counted(parts, broken)

        kept, counts = jax.lax.cond(broken.any(), look, lambda: (self.broken, self.nonfinite))
        return now.replace(step=self.step + 1, broken=kept, nonfinite=counts)


def begin(steps: int, moment: Moment, metrics: Iterable[str], describe: Callable[[], End]) -> History:
    """Returns an empty history of K = `steps` control steps; arguments as in `History.after` give shapes."""
    end = jax.eval_shape(describe)
    names = tuple(looked_at(moment, end.state.physics, end.observation, metrics))
    ring = jax.tree.map(lambda x: jnp.zeros((steps, *x.shape), x.dtype), moment)
    moments, ends = jax.eval_shape(lambda: (_packed(moment, 1), _packed(describe(), 1)))
    moments = jax.tree.map(lambda x: jnp.zeros((KEPT, steps, *x.shape[1:]), x.dtype), moments)
    ends = jax.tree.map(lambda x: jnp.zeros((KEPT, *x.shape[1:]), x.dtype), ends)
    zero, counts = jnp.int32(0), jnp.zeros(len(names), jnp.int32)
    broken = Broken(iteration=zero, count=zero, moments=moments, ends=ends)
    return History(ring, written=zero, iteration=zero, step=zero, nonfinite=counts, broken=broken, names=names)


def moment_of(state: ArenaState, action: jax.Array, timestep: TimeStep) -> Moment:
    """Returns the step from `state` with `action` that led to `timestep`; leading axes stay."""
    metrics = [timestep.metrics[name] for name in sorted(timestep.metrics)]
    stacked = jnp.stack(metrics, -1) if metrics else jnp.zeros((*timestep.reward.shape[:-1], 0))
    return Moment(numbers(state), action, timestep.reward, stacked)


def numbers(tree: Any) -> Any:
    """Returns a tree with random keys as their data."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x, tree)


def looked_at(moment: Moment, physics: Any, observation: Any, metrics: Iterable[str]) -> dict[str, Any]:
    """Returns by name what is looked at for numbers that are not finite, `{name: [N, ...]}`.

    Takes the step `[N, ...]`, the state of physics and the observation that it led to, and the names of its metrics.
    """
    paths = jax.tree.leaves_with_path(physics)
    leaves = {jax.tree_util.keystr(path, simple=True, separator=".") or "physics": leaf for path, leaf in paths}
    terms = {name: moment.metrics[:, index] for index, name in enumerate(sorted(metrics)) if name.startswith("reward/")}
    return {"action": moment.action, **leaves, "observation": observation, "reward": moment.reward, **terms}


def unpacked(packed: Packed, like: Any) -> Any:
    """Returns the tree of arrays `[..., *s]` that `packed` `[..., p]` holds; leaves of `like` have the shapes `s`."""
    floats, whole = 0, 0

    def leaf(shape: Any) -> np.ndarray:
        nonlocal floats, whole
        size = math.prod(shape.shape)
        if jnp.issubdtype(shape.dtype, jnp.floating):
            part, floats = packed.floats[..., floats : floats + size], floats + size
        else:
            part, whole = packed.whole[..., whole : whole + size], whole + size
        return np.asarray(part).reshape(*part.shape[:-1], *shape.shape).astype(shape.dtype)

    return jax.tree.map(leaf, like)


def _packed(tree: Any, lead: int) -> Packed:
    """Returns the numbers of a tree, whose leaves share their first `lead` axes: two arrays compile sooner than 40."""
    leaves = [x.reshape(*x.shape[:lead], math.prod(x.shape[lead:])) for x in jax.tree.leaves(tree)]
    is_float = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]
    floats = [leaf.astype(jnp.float32) for leaf, fits in zip(leaves, is_float, strict=True) if fits]
    whole = [leaf.astype(jnp.int32) for leaf, fits in zip(leaves, is_float, strict=True) if not fits]
    return Packed(jnp.concatenate(floats, -1), jnp.concatenate(whole, -1))


def _taken_in(history: History, flags: jax.Array, end: End) -> Broken:
    """Returns `history.broken` with the arenas `flags` `[N]`, whose last step is in `history.moments` already."""
    old, steps = history.broken, len(history.moments.reward)
    order = (history.written + jnp.arange(steps)) % steps
    # Within a match steps are counted one by one, and in a ring that is not full the oldest places are empty.
    count = history.moments.state.step_count[order]
    belongs = count == count[-1] - jnp.arange(steps)[::-1, None]
    belongs &= jnp.arange(steps)[:, None] >= steps - history.written
    length = jnp.cumprod(belongs[::-1], 0).sum(0, dtype=jnp.int32)
    end = end.replace(step=jnp.broadcast_to(history.step, flags.shape), length=length)
    chosen = jnp.argsort(~flags, stable=True)[:KEPT]
    before = jnp.where(old.iteration == history.iteration, old.count, 0)
    place = jnp.where(flags[chosen], before + jnp.arange(chosen.size), KEPT)  # KEPT and above are dropped

    def put(kept: jax.Array, new: jax.Array) -> jax.Array:
        return kept.at[place].set(new, mode="drop")

    moments = jax.tree.map(lambda x: x[order, chosen[:, None]], _packed(history.moments, 2))
    return Broken(
        iteration=history.iteration,
        count=jnp.minimum(before + flags.sum(), KEPT),
        moments=jax.tree.map(put, old.moments, moments),
        ends=jax.tree.map(put, old.ends, jax.tree.map(lambda x: x[chosen], _packed(end, 1))),
    )


def _counted(parts: dict[str, jax.Array], among: jax.Array) -> jax.Array:
    """Returns how many of the arenas `among` `[N]` are not finite in each part `[n]` int32; parts are `[N, ...]`."""
    flat = [part.reshape(part.shape[0], part.size // part.shape[0]).astype(jnp.float32) for part in parts.values()]
    part_of = np.repeat(np.arange(len(flat)), [part.shape[1] for part in flat])
    bad = ~jnp.isfinite(jnp.concatenate(flat, 1)) & among[:, None]
    flags = jnp.zeros((among.size, len(flat)), bool).at[:, part_of].max(bad)
    return flags.sum(0, dtype=jnp.int32)
