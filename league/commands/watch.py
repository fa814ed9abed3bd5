"""The command watch: shows matches in a browser while they are played, and lets a person play."""

import os
import sys
import time
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from league.evaluation.sources import open_source
from league.run import folder as run_folder
from league.run.dump_file import open_dump
from mjx_arena import compilation_cache, devices, registry
from mjx_arena.physics import engines
from mjx_arena.validation import require

if TYPE_CHECKING:
    from mujoco.studio.viewer_handle import ViewerHandle

    from league.watch.guard import Guard
    from league.watch.session import Session

PURPOSE = "Shows matches in a browser while they are played: champions, a run that trains, or a person at the keys."
EXAMPLES = (
    "python scripts/watch.py task=humanoid_duel",
    "python scripts/watch.py run=latest",
    "python scripts/watch.py task=qwop 'players=[person]'",
    "python scripts/watch.py dump=runs/stand/nonfinite-12.npz",
    "python scripts/watch.py task=ant_sumo 'players=[champion:ant_sumo,champion:ant_sumo/tenth]'",
)
_LOCAL, _EVERYWHERE = ("127.0.0.1", "localhost", "::1"), ("0.0.0.0", "::")
_INTERRUPTED = 130  # exit status
_TICK, _IDLE = 1 / 60, 0.25  # s between two pictures, and between two looks for a browser


@dataclass(frozen=True)
class WatchSettings:
    """Settings of watching: what is played, by whom, and where the browser finds it."""

    task: str | None = None  # the game, played by its champion; null: that of run
    run: str | None = None  # a run's folder, followed while it trains; latest; a policy's file; or champion:<name>
    checkpoint: int | None = None  # iteration of the run's policy; null: the newest
    dump: str | None = None  # nonfinite-<iteration>.npz of a run: steps through the arenas that broke
    # who has each seat, the last one the rest too: run, file, champion:<name>, passive, random or person
    players: tuple[str, ...] = ()
    physics: str = "native"  # name of the engine
    seed: int = 0  # random seed of the first match
    speed: float = 1.0  # times real time, 0.1 to 8
    sampled: bool = False  # sample actions as in training; false: play the most likely ones
    host: str = "127.0.0.1"  # address to listen on; anything but 127.0.0.1 lets others in who have the token
    port: int | None = None  # to listen on; null: the first free one from 8080 on
    open: bool = False  # open the browser
    game_file: str | None = None  # the Python file of your own game

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong."""
        require(bool(self.task or self.run or self.game_file or self.dump), "task", self.task, "give a task, or run")
        alone = not (self.dump and (self.run or self.task or self.players))
        require(alone, "dump", self.dump, "says itself what is shown; give it without task, run and players")
        require(0.1 <= self.speed <= 8, "speed", self.speed, "must be 0.1 to 8 times real time")
        require(self.physics in engines(), "physics", self.physics, f"choose one of {', '.join(engines())}")
        require(self.port is None or 0 < self.port < 65536, "port", self.port, "must be 1 to 65535, or null")
        require(self.checkpoint is None or self.run is not None, "checkpoint", self.checkpoint, "goes with run")


SETTINGS = WatchSettings


def watch(own: WatchSettings) -> None:
    """Plays until the process is interrupted. Raises SettingError, CheckpointError, PolicyFileError or DumpError."""
    own.validate()
    devices.configure(1)
    compilation_cache.enable()
    # Only here: the viewer takes half a second to import, and some platforms lack it.
    from league.watch.guard import Guard
    from league.watch.panel import Panel
    from league.watch.viewer import free_port, launch

    port = free_port(own.host, own.port)
    session = _replay(own) if own.dump is not None else _session(own)
    panel = Panel()
    guard = Guard(panel.status)
    handle = launch(own.host, port, guard, [panel, session])
    address = _announce(own, session.task, port, guard.token)
    if own.open:
        webbrowser.open(address)
    try:
        _play(handle, session, guard)
    except Exception:
        handle.close()  # a viewer that is left open crashes as the process ends
        raise


def _session(own: WatchSettings) -> "Session":
    """Sets up a game, for matches to be played."""
    from league.watch.session import Session, Wanted, source_of

    if own.run is not None:
        run = str(run_folder.newest_of_all() if own.run == "latest" else own.run)
        source = open_source(run, own.checkpoint)
        task = source.settings.task_name
        require(own.task in (None, task), "task", own.task, f"{run} plays {task}")
    else:
        task = own.task or registry.register_file(str(own.game_file))
        source = source_of(task)
    print(f"setting up {task} ...", flush=True)
    return Session(Wanted(task, source, own.players, (), own.physics, own.seed, own.speed, own.sampled))


def _replay(own: WatchSettings) -> "Session":
    """Opens a dump, and prints what it knows."""
    from league.watch.replay_session import ReplaySession

    dump = open_dump(str(own.dump))
    for broken in dump.arenas:
        print("\n".join(dump.facts(broken)))
    return ReplaySession(dump, own.speed)


def _announce(own: WatchSettings, task: str, port: int, token: str) -> str:
    """Prints where the browser finds the match; returns that address."""
    shown = own.host if own.host not in _EVERYWHERE else "127.0.0.1"
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/?token={token}"
    if own.host not in _LOCAL:
        print(f"warning: host={own.host} lets in whoever reaches this machine and has the token; nothing is encrypted")
    print(f"watch {task} at {address}\nCtrl-C ends it", flush=True)
    return address


def _play(handle: "ViewerHandle", session: "Session", guard: "Guard") -> None:
    """Plays until the viewer ends; waits while no browser looks on."""
    waiting = False
    while handle.is_running():
        now = time.monotonic()
        if waiting != (guard.watchers == 0):
            waiting = guard.watchers == 0
            print("no browser looks on: the match waits" if waiting else "a browser looks on", flush=True)
        if not waiting:
            session.advance(now)
            session.show(now)
        handle.sync()
        time.sleep(_IDLE if waiting else max(0.0, _TICK - (time.monotonic() - now)))


def run(settings: WatchSettings, written: Mapping[str, Any]) -> None:
    """Watches for the command line, until it is interrupted."""
    del written
    try:
        watch(settings)
    except KeyboardInterrupt:
        # At once: there is nothing to save, and the viewer's threads take seconds to end on a busy machine.
        sys.stdout.flush()
        os._exit(_INTERRUPTED)
