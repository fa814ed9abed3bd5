"""Who could play: champions, a run's checkpoints, policies that were named, nobody, chance, and a person."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from league.evaluation import champions
from league.evaluation.sources import Contestant, RunSource, Source, open_source
from league.run import folder as run_folder
from league.run.checkpoints import CheckpointError
from league.watch.players import (
    PASSIVE,
    PERSON,
    RANDOM,
    PassivePlayer,
    PersonPlayer,
    Player,
    PolicyPlayer,
    RandomPlayer,
)
from mjx_arena.arena import Arena
from mjx_arena.validation import SettingError, require

NEWEST = "newest checkpoint"
_CHECKPOINT = "checkpoint "
_SHOWN = 12  # checkpoints of a run that are offered, spread over it


class Roster:
    """Names and opens players of one task. `source` is the run or file that is watched, or None for the champions."""

    def __init__(self, task: str, source: Source | None, named: Sequence[str], sampled: bool):
        self.task, self.source, self.named, self.sampled = task, source, tuple(named), sampled
        self._opened: dict[str, Contestant] = {}
        self._followers: list[PolicyPlayer] = []
        self._loading: Future[Contestant] | None = None
        self._loader = ThreadPoolExecutor(1)

    @property
    def names(self) -> list[str]:
        """Returns the names that `player` takes, the one to begin with first."""
        own = []
        if isinstance(self.source, RunSource):
            steps = run_folder.finished_steps(self.source.folder)
            spread = sorted({steps[round(index * (len(steps) - 1) / (_SHOWN - 1))] for index in range(_SHOWN)})
            own = [NEWEST, *(f"{_CHECKPOINT}{step}" for step in reversed(spread))]
        elif self.source is not None:
            own = [self.source.newest().source]
        listed = [*own, *self.named, *champions.names(self.task), PASSIVE, RANDOM, PERSON]
        return list(dict.fromkeys(listed))

    def player(self, name: str, arena: Arena) -> Player:
        """Returns a player by its name, or by a path to a run or file.

        Raises SettingError, CheckpointError or PolicyFileError for one who cannot play here.
        """
        if name == PASSIVE:
            return PassivePlayer(arena)
        if name == RANDOM:
            return RandomPlayer(arena)
        if name == PERSON:
            adviser = next((each for each in self.names if each not in (PASSIVE, RANDOM, PERSON)), None)
            return PersonPlayer(arena, None if adviser is None else self.player(adviser, arena))
        contestant = self._contestant(name)
        policy = contestant.policy
        fits = (policy.observation_size, policy.action) == (arena.observation_size, arena.action)
        require(
            fits, "players", name, f"does not fit {self.task} as it is played here: it was trained with other settings"
        )
        player = PolicyPlayer(name, contestant, self.sampled)
        if name == NEWEST:
            player.name = _named(contestant)
            self._followers.append(player)
        return player

    def follow(self) -> int | None:
        """Gives players of the newest checkpoint a newer one, if the run has saved it; returns its iteration then.

        Loads beside the match, so that it takes effect in a later call.
        """
        if not isinstance(self.source, RunSource) or not self._followers:
            return None
        if self._loading is not None:
            if not self._loading.done():
                return None
            loading, self._loading = self._loading, None
            try:
                contestant = loading.result()
            except (CheckpointError, OSError):
                return None  # a checkpoint of a run that trains may be deleted while it is read
            for player in self._followers:
                player.state, player.name = contestant.state, _named(contestant)
            self.source.step = contestant.iteration
            return contestant.iteration
        steps = run_folder.finished_steps(self.source.folder)
        if steps and steps[-1] > self.source.step:
            self._loading = self._loader.submit(self.source.at, steps[-1])
        return None

    def _contestant(self, name: str) -> Contestant:
        if name == NEWEST:
            assert self.source is not None
            return self.source.newest()
        if name not in self._opened:
            if isinstance(self.source, RunSource) and name.startswith(_CHECKPOINT):
                contestant = self.source.at(int(name.removeprefix(_CHECKPOINT)))
            elif self.source is not None and not isinstance(self.source, RunSource) and name == self.names[0]:
                contestant = self.source.newest()
            else:
                try:
                    source = open_source(name)
                except SettingError as error:
                    raise SettingError("players", name, error.remedy) from error
                played = source.settings.task_name
                require(played == self.task, "players", name, f"plays {played}, and this is {self.task}")
                contestant = source.newest()
            self._opened[name] = contestant
        return self._opened[name]


def _named(contestant: Contestant) -> str:
    return f"iteration {contestant.iteration}"
