"""Short films of a run while it trains: poses of one of its arenas, drawn by another process.

The poses come with the metrics, so that no device waits for a picture, and a renderer that crashes takes no run along.
"""

import concurrent.futures
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import mujoco
import numpy as np

from mjx_arena.render import write_film
from mjx_arena.types import View

_LONGEST = 10.0  # s of one film
_PATIENCE = 30.0  # s that the end of a run waits for its last film


class Filmer:
    """Films the first match that begins after every `interval` iterations, into `folder`.

    `show` gets its iteration and the film as a small GIF. Where no renderer works, this says so once and then does
    nothing.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        view: View,
        control_dt: float,
        interval: int,
        folder: Path,
        show: Callable[[int, bytes], None],
        announce: Callable[[str], None],
    ):
        self._model, self._view, self._control_dt, self._interval = model, view, control_dt, interval
        self._folder, self._show, self._announce = folder, show, announce
        self._poses: list[np.ndarray] | None = None  # of the match that is being filmed
        self._due: int | None = None  # iteration of the film that is waited for or being taken
        self._drawing: tuple[int, concurrent.futures.Future] | None = None
        self._artist: concurrent.futures.Executor | None = None
        self._works = True

    def take(self, iteration: int, frames: Mapping[str, np.ndarray]) -> None:
        """Of one arena in an iteration `pose` `[T, nq]` before each step, and `ended` `[T]`: a match ends there."""
        self._hand_on()
        if iteration % self._interval == 0 and self._due is None and self._drawing is None and self._works:
            self._due = iteration
        if self._due is None:
            return
        for pose, ended in zip(frames["pose"], frames["ended"], strict=True):
            if self._poses is not None:
                self._poses.append(pose)
                if ended or len(self._poses) * self._control_dt >= _LONGEST:
                    return self._draw()
            elif ended:
                self._poses = []  # the next pose is the first of a match

    def close(self) -> None:
        """Waits a little for a film that is being drawn."""
        if self._drawing is not None:
            concurrent.futures.wait([self._drawing[1]], _PATIENCE)
            self._hand_on()
        if self._artist is not None:
            self._artist.shutdown(wait=False, cancel_futures=True)

    def _draw(self) -> None:
        assert self._due is not None and self._poses is not None
        if self._artist is None:
            context = multiprocessing.get_context("spawn")  # a fork would inherit the threads and locks of JAX
            self._artist = concurrent.futures.ProcessPoolExecutor(1, context, initializer=_step_back)
        self._folder.mkdir(exist_ok=True)
        paths = [self._folder / f"iteration-{self._due}.{kind}" for kind in ("mp4", "gif")]
        work = self._artist.submit(_draw, self._model, np.stack(self._poses), self._view, self._control_dt, *paths)
        self._drawing, self._poses, self._due = (self._due, work), None, None

    def _hand_on(self) -> None:
        """Shows a film that is finished."""
        if self._drawing is None or not self._drawing[1].done():
            return
        (iteration, work), self._drawing = self._drawing, None
        try:
            picture = work.result()
        except Exception as error:
            self._works = False
            self._announce(f"warning: no films of this run: {error}")
            return
        self._show(iteration, picture)


def _step_back() -> None:
    """Of the drawing process: training comes first, and its signals are none of this one's."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _draw(model: mujoco.MjModel, poses: np.ndarray, view: View, control_dt: float, film: Path, small: Path) -> bytes:
    """Writes the film; returns it as a small moving picture, for TensorBoard."""
    write_film(film, model, poses, control_dt, view)
    write_film(small, model, poses, control_dt, view, width=320, height=240, frames_per_second=10)
    content = small.read_bytes()
    small.unlink()
    return content
