"""The phase of its task that a run is in. It is part of the run's state, so all phases share one compiled program."""

import difflib
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mjx_arena.phases import Phase
from mjx_arena.validation import SettingError


class PhaseState(struct.PyTreeNode):
    """Where a run is in its phases."""

    phase: jax.Array  # [] int32, from 0
    iterations: jax.Array  # [] int32 in this phase
    recent: jax.Array  # [W] latest values of the metric that ends the phase, newest first; NaN where there are none


class Phases:
    """The phases of a task; a task without phases gets one that never ends."""

    def __init__(self, phases: Sequence[Phase], arena_steps_per_iteration: int):
        self.each: Sequence[Phase] = phases or (Phase(),)
        self._steps = arena_steps_per_iteration
        self._width = max(phase.window for phase in self.each)

    def begin(self, phase: int | jax.Array = 0) -> PhaseState:
        """Returns the state at the start of a phase, counted from 0."""
        return PhaseState(jnp.int32(phase), jnp.int32(0), jnp.full(self._width, jnp.nan, jnp.float32))

    def after(self, state: PhaseState, metrics: dict[str, jax.Array]) -> PhaseState:
        """Returns the state after one more iteration with `metrics` `{name: []}`; that may begin the next phase.

        Raises SettingError where a phase waits for a metric that does not exist.
        """
        each = self.each
        for index, phase in enumerate(each):
            if phase.metric is not None and phase.metric not in metrics:
                near = difflib.get_close_matches(phase.metric, metrics, n=3, cutoff=0.0)
                remedy = f"there is no such metric; did you mean {' or '.join(near)}? metrics.jsonl has them all"
                raise SettingError(f"task.phases[{index}].metric", phase.metric, remedy)
        values = jnp.stack([metrics[p.metric] if p.metric else jnp.float32(jnp.nan) for p in each])
        value = values[state.phase]
        recent = jnp.where(jnp.isnan(value), state.recent, jnp.roll(state.recent, 1).at[0].set(value))
        window = jnp.array([p.window for p in each])[state.phase]
        counted = jnp.arange(self._width) < window
        mean = jnp.where(counted, recent, 0).sum() / window  # NaN until the window is full
        reached = mean >= jnp.array([p.above for p in each])[state.phase]
        limits = np.array([np.ceil((p.arena_steps or np.inf) / self._steps) for p in each])
        iterations = state.iterations + 1
        ends = (reached | (iterations >= jnp.asarray(limits)[state.phase])) & (state.phase < len(each) - 1)
        later = self.begin().replace(phase=state.phase + 1)
        same = PhaseState(state.phase, iterations, recent)
        return jax.tree.map(lambda new, old: jnp.where(ends, new, old), later, same)

    def plays_pool(self, phase: jax.Array) -> jax.Array:
        """Returns `[]` bool: whether members of the pool play the other seats, which else do nothing."""
        return jnp.array([p.self_play for p in self.each])[phase]

    def learning_rate(self, phase: jax.Array) -> jax.Array:
        """Returns the learning rate `[]` that a phase begins with; NaN where it keeps the current one."""
        return jnp.array([np.nan if p.learning_rate is None else p.learning_rate for p in self.each])[phase]

    def schedule_from(self, phase: jax.Array, default: float) -> jax.Array:
        """Returns the rate `[]` that a linear schedule falls from: of the latest phase that sets one, or `default`."""
        rates = itertools.accumulate((p.learning_rate for p in self.each), lambda old, new: new or old, initial=default)
        return jnp.array(list(rates)[1:], jnp.float32)[phase]

    def title(self, phase: int) -> str:
        """Returns a title of phase `phase`, counted from 0, for people."""
        own = self.each[phase]
        return f"phase {phase + 1} of {len(self.each)}, {own.name}" + (f": {own.goal}" if own.goal else "")

    def label(self, phase: int) -> str:
        """Returns the name of a folder for phase `phase`, counted from 0."""
        return f"Phase{phase + 1}-{self.each[phase].name}"
