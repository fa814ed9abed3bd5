"""Who can sit in a seat: a policy, nobody, chance, or a person."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from league.evaluation.sources import Contestant
from mjx_arena.arena import Arena
from mjx_arena.types import Box
from ppo.policy import Policy, PolicyState

PASSIVE, RANDOM, PERSON = "passive", "random", "person"


class Seen(NamedTuple):
    """What one seat sees before a control step."""

    observation: np.ndarray  # [O]
    mask: np.ndarray | None  # [n] bool, legal choices or controls
    time: float  # s since the match began


class Move(NamedTuple):
    """What a player does in one control step."""

    action: np.ndarray  # [n] or []
    value: float | None = None  # the return that a policy expects from here on; None: the player expects nothing


class Player(ABC):
    """Plays one seat."""

    def __init__(self, name: str):
        self.name = name

    @abstractmethod
    def act(self, seen: Seen, draw: int) -> Move:
        """Returns the move in a control step; what is random in it follows from `draw`."""


class PolicyPlayer(Player):
    """Plays as a policy does. `state` may be replaced at any time by a newer one of the same architecture."""

    def __init__(self, name: str, contestant: Contestant, sampled: bool):
        super().__init__(name)
        self.policy, self.state, self.sampled = contestant.policy, contestant.state, sampled
        self._act = jax.jit(_acts(contestant.policy), static_argnums=4)

    def act(self, seen: Seen, draw: int) -> Move:
        action, value = self._act(self.state, seen.observation, seen.mask, draw, self.sampled)
        return Move(np.asarray(action), float(value))


class PassivePlayer(Player):
    """Does nothing, in the game's own word for it."""

    def __init__(self, arena: Arena):
        super().__init__(PASSIVE)
        self._still = np.asarray(arena.idle_action)

    def act(self, seen: Seen, draw: int) -> Move:
        return Move(self._still)


class RandomPlayer(Player):
    """Draws legal actions."""

    def __init__(self, arena: Arena, seed: int = 0):
        super().__init__(RANDOM)
        self._box, self._size = isinstance(arena.action, Box), arena.action.size
        self._random = np.random.default_rng(seed)

    def act(self, seen: Seen, draw: int) -> Move:
        if self._box:
            return Move(self._random.uniform(-1, 1, self._size).astype(np.float32))
        legal = np.arange(self._size) if seen.mask is None else np.flatnonzero(seen.mask)
        return Move(np.array(self._random.choice(legal), np.int32))


class PersonPlayer(Player):
    """Plays what a person's keys and sliders say.

    Keys may lean on an adviser, a policy whose action the game changes by them: nobody balances a humanoid by hand.
    """

    def __init__(self, arena: Arena, adviser: Player | None):
        super().__init__(PERSON)
        self._arena, self._adviser = arena, adviser
        self.held: frozenset[str] = frozenset()
        self.acted: frozenset[str] = frozenset()  # those that were held in the last control step
        self.acted_at = 0.0  # s since the epoch when these last became others
        self.sliders: dict[int, float] = {}  # control -> value in [-1, 1]; those that are not in it follow the keys

    def act(self, seen: Seen, draw: int) -> Move:
        if self.acted != self.held:
            self.acted, self.acted_at = self.held, time.time()
        advice = Move(np.asarray(self._arena.idle_action)) if self._adviser is None else self._adviser.act(seen, draw)
        action = np.array(self._arena.by_keys(self.held, seen.time, seen.mask, advice.action))
        for index, value in self.sliders.items():
            action[index] = value
        return Move(action, advice.value)


def _acts(policy: Policy) -> Callable[..., Any]:
    def act(state: PolicyState, observation, mask, draw, sampled: bool):
        distribution, value = policy.apply(state, observation, mask)
        return distribution.sample(jax.random.key(draw)) if sampled else distribution.mode(), value

    return act
