"""The command record: writes films, stills and trajectories of a run's policy, and films of arenas that broke."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from league.commands import broken
from league.evaluation.evaluation import Evaluation
from league.evaluation.pairings import against_itself, load_pairings
from league.evaluation.sources import open_source
from league.run.console import progress_bar
from league.run.dump_file import open_dump
from mjx_arena import compilation_cache, devices, opengl
from mjx_arena.arena import Arena
from mjx_arena.page import write_page
from mjx_arena.render import Captions, Moment, RenderError, write_film, write_stills
from mjx_arena.trajectory import Film, save
from mjx_arena.validation import SettingError, require

PURPOSE = "Films episodes of a run's policy, alone or in matches against itself or its past; saves trajectories."
EXAMPLES = (
    "python scripts/record.py run=runs/humanoid_duel/2026-01-31_12-00-00 out=match.png",
    "python scripts/record.py run=runs/stand episodes=3 trajectory=stand.xml",
    "python scripts/record.py dump=runs/stand/nonfinite-12.npz out=broken.mp4",
)


_SMALLEST, _LARGEST = 64, 4096  # pixels; encoders halve sizes, and no OpenGL promises to draw more
_FASTEST = 240  # frames per second


@dataclass(frozen=True)
class RecordSettings:
    """Settings of a recording: what is played, and what is written."""

    run: str | None = None  # folder of a run, or a file that export.py wrote
    dump: str | None = None  # nonfinite-<iteration>.npz of a run, in place of run: films the arenas that broke
    # picture to write: .mp4 for a film, .png for a strip of stills, .html for a page to play in a browser; null: none
    out: str | None = "film.mp4"
    # file for the states of the first episode: .npz for arrays that replay, .xml for the model with keyframes
    trajectory: str | None = None
    checkpoint: int | None = None  # iteration of the policy; null: that of the last checkpoint
    pairing: str | None = None  # which of conf/evaluation/<task>.yaml; null: the first of the policy against itself
    episodes: int = 1  # how many are played
    physics: str | None = None  # name of the engine to play on; null: the run's own
    seed: int = 0  # random seed of the episodes
    sampled: bool = False  # sample actions as in training; false: play the most likely ones
    captions: bool = True  # write time, reward and the players' names into the film
    width: int = 1280  # pixels of a film's frame
    height: int = 720  # pixels of a film's frame
    fps: int = 60  # frames in a second of film; poses between two control steps are interpolated
    seconds: float | None = None  # length of each episode that is kept, in seconds from its start; null: all of it
    stills: int = 6  # pictures in a .png strip, spread over the episodes; of a dump, the last states of its first arena
    game_file: str | None = None  # the Python file of your own game, for an exported policy that plays it

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong."""
        given = self.run is not None or self.dump is not None
        require(given, "run", self.run, "must be given: the folder of a run, or a policy's file")
        if self.dump is not None:
            require(self.run is None, "run", self.run, "give run, or dump, and not both")
            require(self.trajectory is None, "trajectory", self.trajectory, "leave this out: the dump holds the states")
            filmed = self.out is None or Path(self.out).suffix != ".html"
            require(filmed, "out", self.out, "a dump becomes a film, .mp4, or a strip of stills, .png")
        for key in ("episodes", "stills"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "must be at least 1")
        for key in ("width", "height"):
            size = getattr(self, key)
            works = _SMALLEST <= size <= _LARGEST and size % 2 == 0
            require(works, key, size, f"must be an even number of pixels from {_SMALLEST} to {_LARGEST}")
        require(1 <= self.fps <= _FASTEST, "fps", self.fps, f"must lie between 1 and {_FASTEST}")
        require(self.seconds is None or self.seconds > 0, "seconds", self.seconds, "must be positive, or null")
        for key, endings in (("out", (".mp4", ".png", ".html")), ("trajectory", (".xml", ".npz"))):
            path = getattr(self, key)
            known = path is None or Path(path).suffix in endings
            require(known, key, path, f"must end in {' or '.join(endings)}, or be null")
        written = self.out is not None or self.trajectory is not None or self.dump is not None
        require(written, "out", None, "give this or trajectory")


SETTINGS = RecordSettings
_Result = TypeVar("_Result")


def record(own: RecordSettings) -> list[Film]:
    """Plays episodes, writes the files that `own` asks for, and returns the episodes.

    Raises SettingError, CheckpointError, PolicyFileError or DumpError for what cannot be used or written.
    """
    own.validate()
    if own.dump is not None:
        return _record_dump(own.dump, own)
    if own.out is not None and Path(own.out).suffix != ".html":
        opengl.platforms()  # raises SettingError now, before anything is played, if no picture can be drawn
    devices.configure(1)
    source = open_source(str(own.run), own.checkpoint, own.physics)
    if source.settings.compilation_cache:
        compilation_cache.enable()
    task = source.settings.task_name
    pairings = load_pairings(task, source.arena.num_agents, (own.pairing,) if own.pairing else None)
    pairing = pairings[own.pairing] if own.pairing else against_itself(pairings)
    evaluation = Evaluation(source, devices.make_mesh(1), own.episodes, own.sampled)
    arena, films = evaluation.arena(pairing), evaluation.film(pairing, jax.random.key(own.seed), own.episodes)
    if own.seconds is not None:
        films = [film.first(own.seconds) for film in films]
    lengths = ", ".join(f"{film.time[-1]:.1f} s" for film in films)
    if own.trajectory is not None:
        spec = arena.mj_spec
        if spec is None:
            raise SettingError("trajectory", own.trajectory, f"{task} has no model to save")
        path, played = Path(own.trajectory), arena.physics.model
        engine = (pairing.physics or source.settings.physics).engine
        error = _writing("trajectory", own.trajectory, lambda: save(path, films[0], spec, played, engine))
        print(
            f"wrote {own.trajectory}: {len(films[0]) + 1} states of the first episode; a step of MuJoCo from one of "
            f"them misses the next by {np.median(error):.1g} in the median, and by {error.max():.1g} at worst"
        )
    if own.out is not None:
        names = evaluation.names(pairing)
        _writing("out", own.out, lambda: _show(own, Path(str(own.out)), films, arena, names, task))
        print(f"wrote {own.out}: {len(films)} episodes ({lengths})")
    return films


def run(settings: RecordSettings, written: Mapping[str, Any]) -> None:
    """Records for the command line."""
    del written
    record(settings)


def _record_dump(path: str, own: RecordSettings) -> list[Film]:
    """Prints what a dump knows, and films its arenas."""
    dump = open_dump(path)
    for each in dump.arenas:
        print("\n".join(dump.facts(each)))
    if own.out is not None:
        out = Path(own.out)
        if out.suffix == ".png":
            _writing("out", own.out, lambda: broken.stills(out, dump, own.stills))
        else:
            _writing("out", own.out, lambda: broken.film(out, dump, own.captions))
        print(f"wrote {own.out}")
    return [each.film for each in dump.arenas]


def _show(own: RecordSettings, out: Path, films: list[Film], arena: Arena, names: list[str], task: str) -> None:
    """Writes the film, the strip of stills or the page."""
    view = arena.view
    if out.suffix == ".html":
        return write_page(out, arena.mj_model, films, view, task, names, own.captions)
    if out.suffix == ".png":
        moments = [Moment(pose, time) for film in films for pose, time in zip(film.qpos, film.time, strict=True)]
        chosen = np.linspace(0, len(moments) - 1, own.stills).round().astype(int)
        return write_stills(out, arena.mj_model, [moments[index] for index in chosen], view)
    captions = Captions(films, view, names).at if own.captions else None
    poses, size = [film.qpos for film in films], (own.width, own.height, own.fps)
    with progress_bar("drawing the film") as progress:
        write_film(out, arena.mj_model, poses, arena.control_dt, view, captions, *size, progress)


def _writing(key: str, path: str, write: Callable[[], _Result]) -> _Result:
    """Returns the result of `write`; turns an error of drawing or writing into a SettingError of `key`."""
    try:
        return write()
    except RenderError as error:
        raise SettingError(key, path, str(error)) from error
    except OSError as error:
        raise SettingError(key, path, f"cannot write there ({error.strerror or error})") from error
