"""A match of one arena, step by step, and the last minutes of what was played."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from league.watch.players import Move, Player, Seen
from mjx_arena.arena import Arena
from mjx_arena.types import ArenaState, Box, TimeStep


class Frame(NamedTuple):
    """One state of a match, and what the players did in it."""

    number: int  # counts all frames of a session
    time: float  # s since the match began
    qpos: np.ndarray  # [nq] as pictures show it
    observation: np.ndarray  # [A, O]
    moves: tuple[Move, ...]  # of each seat, by which it came about; none at the start of a match
    reward: np.ndarray  # [A] paid by the step that led here
    terms: dict[str, float]  # the game's metrics, reward terms among them
    alive: np.ndarray  # [A] bool


class Match:
    """Plays matches of `arena` between `players`, one for each seat, who may change at any time."""

    def __init__(self, arena: Arena, players: Sequence[Player], seed: int):
        self.arena, self.players = arena, list(players)
        self._reset, self._step, self._pose = jax.jit(arena.reset), jax.jit(arena.step), jax.jit(arena.pose)
        self._count = 0
        self.start(seed)
        self.step()  # compiles now what would make the first match late
        self._count = 0
        self.start(seed)

    def start(self, seed: int) -> Frame:
        """Begins another match, drawn with `seed`."""
        self.seed, self.steps = seed, 0
        self.outcome: np.ndarray | None = None  # [A] of a match that is over; zeros for one in which physics broke
        self.broken = False
        self._state, self._seen = self._reset(jax.random.key(seed))
        self.frame = self._framed(())
        return self.frame

    def step(self) -> Frame:
        """Lets the players act, plays one control step, and returns the frame that it leads to."""
        moves, kind = self._moves(), np.float32 if isinstance(self.arena.action, Box) else np.int32
        self._state, self._seen = self._step(self._state, np.stack([move.action for move in moves]).astype(kind))
        self.steps += 1
        self.frame = self._framed(moves)
        self.broken = not (np.isfinite(self.frame.qpos).all() and np.isfinite(self.frame.reward).all())
        if self.broken or bool(self._seen.terminated) or bool(self._seen.truncated):
            outcome = np.asarray(self._seen.outcome)
            self.outcome = np.zeros_like(outcome) if self.broken else outcome
        return self.frame

    def _framed(self, moves: tuple[Move, ...]) -> Frame:
        state: ArenaState = self._state
        seen: TimeStep = jax.device_get(self._seen)
        self._count += 1
        return Frame(
            number=self._count,
            time=self.steps * self.arena.control_dt,
            qpos=np.asarray(self._pose(state), np.float64),
            observation=np.asarray(seen.observation),
            moves=moves,
            reward=np.asarray(seen.reward),
            terms={name: float(value) for name, value in seen.metrics.items()},
            alive=np.asarray(seen.alive),
        )

    def _moves(self) -> tuple[Move, ...]:
        seen: TimeStep = self._seen
        observation, mask = self.frame.observation, seen.action_mask
        legal = [None] * len(self.players) if mask is None else list(np.asarray(mask))
        draw = (self.seed * 1_000_003 + self.steps) * len(self.players)
        return tuple(
            player.act(Seen(observation[seat], legal[seat], self.frame.time), (draw + seat) % 2**31)
            for seat, player in enumerate(self.players)
        )


class Reel:
    """The last frames of a session, across matches, to be looked at again."""

    def __init__(self, length: int):
        self._frames: deque[Frame] = deque(maxlen=length)

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: Frame) -> None:
        """Adds the newest frame."""
        self._frames.append(frame)

    def back(self, steps: int) -> Frame:
        """Returns the frame `steps` before the newest, or the oldest there is."""
        return self._frames[max(len(self._frames) - 1 - steps, 0)]

    def last(self, count: int, back: int = 0) -> list[Frame]:
        """Returns up to `count` frames of one match, the last of which is `back` before the newest."""
        end = len(self._frames) - back
        chosen = [self._frames[index] for index in range(max(end - count, 0), max(end, 0))]
        starts = [index for index, frame in enumerate(chosen) if frame.time == 0]
        return chosen[starts[-1] :] if starts else chosen
