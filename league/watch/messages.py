"""What the match and the panel, which run in two threads, tell each other."""

from dataclasses import dataclass, field
from typing import Any

from mujoco.studio import messages

from league.watch.match import Frame
from league.watch.stage import Prop
from mjx_arena.types import Key, View


@dataclass(frozen=True)
class Request(messages.Event):
    """A wish of the panel: `what` names a method of the session, which gets `values`."""

    what: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class HeldKeys(messages.Snapshot):
    """The keys of the game that a person holds."""

    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sliders(messages.Snapshot):
    """Controls that a person has taken over by sliders, index -> value in [-1, 1]."""

    values: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Look(messages.Snapshot):
    """All that the panel shows."""

    stage: int  # counts the models that were shown
    view: View
    props: tuple[Prop, ...]
    task: str
    tasks: tuple[str, ...]
    engine: str
    engines: tuple[str, ...]
    seats: tuple[str, ...]  # names of the seats, such as colours
    players: tuple[str, ...]  # who has each seat
    chosen: tuple[str, ...]  # the name that was chosen for each seat, one of `choices`
    choices: tuple[str, ...]
    wins: tuple[int, ...]  # of each seat since the players sat down
    draws: int
    seed: int
    speed: float  # times real time
    paused: bool
    back: int  # control steps that the frame is behind the newest
    reel: int  # frames that can be looked at
    control_dt: float  # s
    frame: Frame
    history: tuple[Frame, ...]  # of the match up to `frame`, the latest last
    odds: tuple[float | None, ...]  # probability that the first seat wins, for each frame of `history`
    rate: float  # control steps a second of late
    late: int  # control steps that were left out since the session began, because they would have come too late
    note: str  # what is going on, or went wrong
    ended: str  # how the match ended, or ""
    acted: frozenset[str]  # keys that a person held in the last control step
    acted_at: float  # s since the epoch when these last became others
    sampled: bool
    keyboard: tuple[Key, ...]  # by which a person plays the game
    action_names: tuple[str, ...]
    observation_names: tuple[str, ...]
    continuous: bool  # controls, and not a choice
    explained: tuple[str, ...]  # each seat's last action in words
