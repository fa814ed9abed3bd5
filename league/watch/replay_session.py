"""A session that shows a dump: it can be stepped and scrubbed, and nobody plays."""

import dataclasses
from collections.abc import Sequence

from league.evaluation.sources import Source
from league.run.dump_file import Dump
from league.watch.messages import Look
from league.watch.replay import Replay, arena_of
from league.watch.roster import Roster
from league.watch.session import Session, Wanted
from mjx_arena.validation import SettingError

_HALTED = "halted at the first step that is kept: `step` or the right arrow goes on, `next match` to the next arena"


class ReplaySession(Session):
    """Begins halted. Raises SettingError for a dump whose game cannot be built here."""

    def __init__(self, dump: Dump, speed: float):
        self._dump, self._arena = dump, arena_of(dump)
        task = str(dump.settings["task"]["name"])
        super().__init__(Wanted(task, None, (), (), str(dump.settings["physics"]["engine"]), 0, speed, False))
        self.clock.paused, self.note = True, _HALTED

    def _set_up(self, task: str, source: Source | None, players: Sequence[str]) -> tuple[Roster, Replay, list[str]]:
        replay = Replay(self._arena, self._dump)
        return Roster(task, None, (), False), replay, [player.name for player in replay.players]

    def choose_task(self, task: str) -> None:
        raise SettingError("task", task, "a dump shows what happened, of one game")

    def choose_engine(self, engine: str) -> None:
        raise SettingError("physics", engine, "a dump shows what happened, on one engine")

    def choose_player(self, seat: int, name: str) -> None:
        raise SettingError("players", name, "a dump shows what happened: nobody else can play")

    def choose_sampled(self, sampled: bool) -> None:
        raise SettingError("sampled", sampled, "a dump shows what happened")

    def next_match(self, seed: int | None = None) -> None:
        """Shows the next arena, or that of a number."""
        super().next_match(seed)
        self.chosen = [player.name for player in self.match.players]

    def look(self) -> Look:
        """Returns what the panel shows, and what the dump knows of the arena."""
        assert isinstance(self.match, Replay)
        return dataclasses.replace(super().look(), note="\n".join(filter(None, [self.note, self.match.facts])))
