"""A session of watching: which match is on, and what the panel's wishes do to it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from mujoco.studio import messages as studio
from mujoco.studio import plugin

from league.evaluation import champions
from league.evaluation.pairings import against_itself, load_pairings
from league.evaluation.policy_file import PolicyFileError
from league.evaluation.sources import Source, open_source
from league.run.checkpoints import CheckpointError
from league.watch.clock import Clock
from league.watch.match import Frame, Match, Reel
from league.watch.messages import HeldKeys, Look, Request, Sliders
from league.watch.odds import Odds, lead_of
from league.watch.players import PersonPlayer
from league.watch.replay import Replay
from league.watch.roster import Roster
from league.watch.stage import Stage
from mjx_arena import registry
from mjx_arena.arena import Arena
from mjx_arena.physics import PhysicsSettings, engines
from mjx_arena.types import Box
from mjx_arena.validation import SettingError, replace_nested

_SHOWN = 300  # frames of a match that the panel plots
_KEPT = 180.0  # s of play that can be looked at again
_BETWEEN = 1.5  # s that the end of a match stays on the screen
_LOOKS = 20.0  # times a second that the panel gets new figures
_FOLLOW = 1.0  # s between two looks at the run's folder


class Wanted(NamedTuple):
    """What a session begins with."""

    task: str
    source: Source | None  # the run or file that is watched
    players: tuple[str, ...]  # for each seat; the last for all further ones; () for the default
    named: tuple[str, ...]
    engine: str
    seed: int
    speed: float
    sampled: bool


class Session(plugin.SimPlugin):
    """Plays matches on the clock for a viewer, and does what its panel wishes."""

    def __init__(self, wanted: Wanted):
        self._wanted, self.engine, self.sampled = wanted, wanted.engine, wanted.sampled
        self.clock = Clock(wanted.speed)
        self.note, self._back, self._over_at, self._follow_at, self._look_at = "", 0, 0.0, 0.0, 0.0
        self._stages = 0
        self._open(wanted.task, wanted.source, wanted.players)

    def _open(self, task: str, source: Source | None, players: Sequence[str]) -> None:
        """Sets up a game: its arena, those who can play it, and a first match."""
        roster, match, names = self._set_up(task, source, players)
        arena = match.arena
        self.task, self.source, self.roster, self.chosen, self.match = task, source, roster, names, match
        self.stage, self._stages, self._props = Stage(arena), self._stages + 1, ()
        self.reel = Reel(round(_KEPT / arena.control_dt))
        about = champions.descriptions().get(task, {})
        self._odds = Odds(*about.get("odds", ()))
        self.wins, self.draws = [0] * arena.num_agents, 0
        self._begin(match.frame)

    def _set_up(
        self, task: str, source: Source | None, players: Sequence[str]
    ) -> tuple[Roster, Match | Replay, list[str]]:
        """Returns who can play, a first match, and the names of those who play it."""
        roster = Roster(task, source, self._wanted.named if task == self._wanted.task else (), self.sampled)
        arena = _arena(task, source, self.engine)
        names = list(players or (roster.names[0],))
        names = [names[min(seat, len(names) - 1)] for seat in range(arena.num_agents)]
        return roster, Match(arena, [roster.player(name, arena) for name in names], self._wanted.seed), names

    # What the panel wishes, by name.

    def choose_task(self, task: str) -> None:
        """Plays another game, by its champion, or by the watched run if that plays it."""
        if task == self._wanted.task:
            self._open(task, self._wanted.source, self._wanted.players)
        else:
            self._open(task, source_of(task), ())
        self._publish()

    def choose_engine(self, engine: str) -> None:
        """Goes on with a new match on another engine."""
        before, self.engine = self.engine, engine
        try:
            self._open(self.task, self.source, self.chosen)
        except SettingError:
            self.engine = before
            raise
        self._publish()

    def choose_player(self, seat: int, name: str) -> None:
        """Gives a seat to another player, in the middle of the match; the score starts anew."""
        self.match.players[seat] = self.roster.player(name, self.match.arena)
        self.chosen[seat] = name
        self.wins, self.draws = [0] * len(self.wins), 0

    def choose_sampled(self, sampled: bool) -> None:
        """Lets policies sample their actions, or take the most likely ones."""
        self.sampled = self.roster.sampled = sampled
        for seat, name in enumerate(self.chosen):
            self.match.players[seat] = self.roster.player(name, self.match.arena)

    def choose_speed(self, speed: float) -> None:
        """Plays at `speed` times real time."""
        self.clock.speed = speed

    def pause(self, paused: bool) -> None:
        """Halts the match, or goes on from its newest frame."""
        self.clock.paused, self._back = paused, 0

    def step(self) -> None:
        """Halts, and plays one control step."""
        self.pause(True)
        self._step()

    def next_match(self, seed: int | None = None) -> None:
        """Begins another match, with the next seed or a given one."""
        self._begin(self.match.start(self.match.seed + 1 if seed is None else seed))

    def scrub(self, back: int) -> None:
        """Halts, and shows the frame `back` control steps before the newest."""
        self.clock.paused, self._back = True, min(back, len(self.reel) - 1)

    # The loop.

    def advance(self, now: float) -> None:
        """Plays what is due at `now` s on the clock."""
        if self.match.outcome is not None and not self.clock.paused and now >= self._over_at + _BETWEEN:
            self.next_match()
        for _ in range(self.clock.due(now, self.match.arena.control_dt, self.match.outcome is None)):
            self._step()
            if self.match.outcome is not None:
                self._over_at = now
                break
        if now >= self._follow_at:
            self._follow_at = now + _FOLLOW
            found = self.roster.follow()
            if found is not None:
                self.note = f"now plays iteration {found}"

    def show(self, now: float) -> None:
        """Puts the frame to be seen into the viewer's state, and tells the panel of it as often as that can be read."""
        frame = self.reel.back(self._back)
        before = self.reel.back(self._back + 1)
        part = 1.0 if self.clock.paused else self.clock.part(now, self.match.arena.control_dt)
        assert self.handle.data is not None
        self._props = self.stage.pose(self.handle.data, before, frame, part, now)
        if now >= self._look_at:
            self._look_at = now + 1 / _LOOKS
            self.handle.send_to_viewer(self.look())

    def look(self) -> Look:
        """Returns what the panel shows."""
        history = self.reel.last(_SHOWN, self._back)
        arena = self.match.arena
        return Look(
            stage=self._stages,
            view=arena.view,
            props=self._props,
            task=self.task,
            tasks=registry.list_tasks(),
            engine=self.engine,
            engines=tuple(engines()),
            seats=tuple(self._seat(index) for index in range(arena.num_agents)),
            players=tuple(player.name for player in self.match.players),
            chosen=tuple(self.chosen),
            choices=tuple(self.roster.names),
            wins=tuple(self.wins),
            draws=self.draws,
            seed=self.match.seed,
            speed=self.clock.speed,
            paused=self.clock.paused,
            back=self._back,
            reel=len(self.reel),
            control_dt=arena.control_dt,
            frame=history[-1],
            history=tuple(history),
            odds=tuple(self._odds.probability(_values(frame), 0) for frame in history),
            rate=self.clock.rate,
            late=self.clock.late,
            note=self.note,
            ended=self._ended(),
            acted=frozenset[str]().union(*(player.acted for player in self._people())),
            acted_at=max((player.acted_at for player in self._people()), default=0.0),
            sampled=self.sampled,
            keyboard=arena.keyboard,
            action_names=arena.action_names or _numbered("control", arena.action.size),
            observation_names=arena.observation_names or _numbered("observation", arena.observation_size),
            continuous=isinstance(arena.action, Box),
            explained=tuple(arena.explain(move.action) for move in history[-1].moves),
        )

    @studio.handler
    def _on_request(self, request: Request) -> None:
        try:
            getattr(self, request.what)(*request.values)
            self.note = ""
        except (SettingError, CheckpointError, PolicyFileError) as error:
            self.note = str(error)

    @studio.handler
    def _on_keys(self, held: HeldKeys) -> None:
        for player in self._people():
            player.held = held.keys

    @studio.handler
    def _on_sliders(self, sliders: Sliders) -> None:
        for player in self._people():
            player.sliders = dict(sliders.values)

    @studio.handler
    def _on_sim_init(self, event: plugin.SimInitEvent) -> None:
        self._publish()

    def _people(self) -> list[PersonPlayer]:
        return [player for player in self.match.players if isinstance(player, PersonPlayer)]

    def _publish(self) -> None:
        """Gives the viewer the model of the game."""
        self.handle.set_model(self.stage.model, data=self.stage.data)

    def _step(self) -> None:
        if self.match.outcome is not None:
            self.next_match()
            return
        self.reel.add(self.match.step())
        if self.match.outcome is not None:
            self._score(self.match.outcome)

    def _begin(self, frame: Frame) -> None:
        self._back = 0
        self.reel.add(frame)

    def _score(self, outcome: np.ndarray) -> None:
        if self.match.broken:
            return
        best = outcome.max()
        if best > 0:
            self.wins[int(outcome.argmax())] += 1
        elif len(self.wins) > 1:
            self.draws += 1
        history = self.reel.last(len(self.reel))
        leads = [lead_of(_values(frame), 0) for frame in history]
        self._odds.learn([lead for lead in leads if lead is not None], float(outcome[0]))

    def _seat(self, index: int) -> str:
        names = self.match.arena.view.seats
        return names[index] if index < len(names) else f"seat {index}"

    def _ended(self) -> str:
        if self.match.outcome is None:
            return ""
        if self.match.broken:
            return "the physics broke; the match does not count"
        if len(self.wins) == 1:
            return "succeeded" if self.match.outcome[0] > 0 else "failed"
        best = self.match.outcome.max()
        return f"{self._seat(int(self.match.outcome.argmax()))} wins" if best > 0 else "a draw"


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name} {index}" for index in range(count))


def _values(frame: Frame) -> list[float | None]:
    return [move.value for move in frame.moves] or [None]


def source_of(task: str) -> Source | None:
    """Returns the champion of a task, or None for a task without one. Raises SettingError for an unknown task."""
    registry.arena_type(task)
    names = champions.names(task)
    return open_source(names[0]) if names else None


def _arena(task: str, source: Source | None, engine: str) -> Arena:
    """Builds the arena in which a policy of `source` plays against itself."""
    physics = PhysicsSettings(engine=engine)
    physics.validate("physics")
    settings = registry.settings_type(task)() if source is None else source.settings.task
    pairing = against_itself(load_pairings(task, settings.num_agents))
    return registry.build(replace_nested(settings, pairing.task, "task"), physics)
