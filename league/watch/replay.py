"""The last steps of arenas that broke, out of a dump, played as matches are."""

from typing import Any, NamedTuple

import numpy as np

from league.config.compose import from_mapping
from league.run.dump_file import Dump
from league.watch.match import Frame
from league.watch.players import Move
from mjx_arena import registry
from mjx_arena.arena import Arena


class Remembered(NamedTuple):
    """Who played a seat; its moves are in the dump."""

    name: str


class Replay:
    """Shows the arenas of `dump` in the places of `Match`'s matches: the seed is the arena's number, from 0."""

    def __init__(self, arena: Arena, dump: Dump):
        self.arena, self._dump = arena, dump
        self._count = 0
        self.start(0)

    def start(self, seed: int) -> Frame:
        """Begins with the first step that is kept of an arena; after the last one comes the first again."""
        self.seed, self.steps = seed % len(self._dump.arenas), 0
        self.outcome: np.ndarray | None = None  # [A] zeros, once the arena has broken
        self.broken = False
        self._shown = self._dump.arenas[self.seed]
        self._poses = self._shown.poses()
        self.players: list[Any] = [Remembered(name) for name in self._shown.players]
        self.facts = "\n".join(self._dump.facts(self._shown))
        self.frame = self._framed(())
        return self.frame

    def step(self) -> Frame:
        """Goes on by one control step."""
        moves = tuple(Move(action) for action in self._shown.action[self.steps])
        self.steps += 1
        self.frame = self._framed(moves)
        if self.steps == len(self._shown.film):
            self.outcome, self.broken = np.zeros(len(self.players)), True
        return self.frame

    def _framed(self, moves: tuple[Move, ...]) -> Frame:
        film, step, agents = self._shown.film, self.steps, len(self.players)
        self._count += 1
        before_end = len(film) - step  # the observations of the last two states are kept
        nothing = np.full((agents, self.arena.observation_size), np.nan)
        return Frame(
            number=self._count,
            time=float(film.time[step] - film.time[0]),
            qpos=np.asarray(self._poses[step], np.float64),
            observation=self._shown.observation[1 - before_end] if before_end < 2 else nothing,
            moves=moves,
            reward=film.reward[step],
            # A plot knows no NaN; the facts say what was none.
            terms={name: float(np.nan_to_num(values[step])) for name, values in film.metrics.items()},
            alive=np.ones(agents, bool),
        )


def arena_of(dump: Dump) -> Arena:
    """Returns the arena that a dump is of. Raises SettingError for a game or settings that are not known here."""
    settings = from_mapping(dump.settings)
    return registry.build(settings.task, settings.physics)
