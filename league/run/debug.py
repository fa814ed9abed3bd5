"""Prints details for the setting `debug`, outside the run's compiled program: from three extra arenas, and its log."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from league.run import folder as run_folder
from league.run.dump_file import Dump
from league.run.logs import Row
from league.selfplay import RunState, SelfPlay, first_learner
from mjx_arena.batch import BatchedArena
from mjx_arena.types import Discrete, Progress

_ARENAS, _STEPS = 3, 4
_LEARNING = ("learning_rate", "kl", "entropy", "clip_fraction", "explained_variance", "loss/policy", "loss/value")


class Debug:
    """A writer of the run loop that prints about `topics` through `announce`."""

    def __init__(self, trainer: SelfPlay, topics: tuple[str, ...], folder: Path, announce: Callable[[str], None]):
        self._trainer, self._topics, self._folder, self._announce = trainer, topics, folder, announce
        self._finished: list[int] = []

    def show(self, state: RunState) -> None:
        """Plays a few steps of new matches with the first learner of `state`, and prints about them."""
        arena, policy = self._trainer.arena, first_learner(state.learner).policy
        describe, explain = arena.describe, arena.explain

        def play(matches, seen, key):
            action = self._trainer.policy.distribution(policy, seen.observation, seen.action_mask).sample(key)
            return *jax.vmap(arena.step)(matches, action), action

        progress = Progress(jnp.float32(0), state.phase.phase)
        bank = jax.jit(lambda key: BatchedArena(arena, _ARENAS).make_bank(key, _ARENAS, progress))(jax.random.key(0))
        (matches, seen), play = (bank.state, bank.timestep), jax.jit(play)
        for step in range(_STEPS if {"actions", "reward"} & set(self._topics) else 0):
            if step == 0:
                self._show_resets(matches, seen, describe)
            matches, seen, action = play(matches, seen, jax.random.key(step))
            for index in range(_ARENAS):
                if "actions" in self._topics:
                    each = "; ".join(explain(row) for row in np.asarray(action[index]))
                    self._say("actions", f"match {index}, step {step}: {each}{_legal(arena, seen, index)}")
                if "reward" in self._topics:
                    terms = {k: float(v[index]) for k, v in seen.metrics.items() if k.startswith("reward/")}
                    parts = ", ".join(f"{name[7:]} {value:+.4f}" for name, value in terms.items() if value)
                    paid = np.round(np.asarray(seen.reward[index]), 4)
                    self._say("reward", f"match {index}, step {step}: {paid} of {parts or 'nothing'}")
        if not {"actions", "reward"} & set(self._topics):
            self._show_resets(matches, seen, describe)

    def write(self, row: Row) -> None:
        """Prints what a row of the log and the run's folder say about the topics."""
        if "learning" in self._topics:
            self._say("learning", ", ".join(f"{name} {row[name]:.4g}" for name in _LEARNING if name in row))
        if "checkpoints" in self._topics:
            finished = run_folder.finished_steps(self._folder)
            if finished != self._finished:
                self._finished = finished
                self._say("checkpoints", f"{self._folder} holds {', '.join(map(str, finished))}")

    def show_broken(self, dump: Dump) -> None:
        """Prints about the arenas that broke in an iteration: what a dump knows, and what the game says."""
        arena = self._trainer.arena
        for broken in dump.arenas:
            state = broken.state(-2, self._trainer.shapes[0])  # the last one that is finite
            explained = [arena.explain(action) for action in broken.action[-1]]
            for line in (*dump.facts(broken), *(f"  {line}" for line in (*arena.describe(state), *explained))):
                self._say("broken", line)

    def close(self) -> None:
        """Does nothing: there is nothing to close."""

    def _show_resets(self, matches: Any, seen: Any, describe: Callable[[Any], list[str]]) -> None:
        if "reset" not in self._topics:
            return
        for index in range(_ARENAS):
            match = jax.tree.map(lambda x, index=index: x[index], matches)
            counts = "counts" if seen.rated[index] else "is an exercise"
            self._say("reset", f"match {index} {counts}; observations {_range(seen.observation[index])}")
            for line in describe(match):
                self._say("reset", f"  {line}")

    def _say(self, topic: str, text: str) -> None:
        self._announce(f"debug {topic}: {text}")


def _legal(arena: Any, seen: Any, index: int) -> str:
    if not isinstance(arena.action, Discrete) or seen.action_mask is None:
        return ""
    return f" (then legal: {np.asarray(seen.action_mask[index]).sum(-1).tolist()} of {arena.action.size})"


def _range(values: Any) -> str:
    return f"{float(values.min()):.2f} to {float(values.max()):.2f}"
