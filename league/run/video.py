"""Short films of a run while it trains: poses of one of its arenas, drawn by another process.

The poses come with the metrics, so that no device waits for a picture, and a renderer that crashes takes no run along.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import mujoco
import numpy as np

from mjx_arena.render import RenderError, write_film
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
        self._drawing: _Drawing | None = None
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
            if not self._drawing.answer.poll(_PATIENCE):
                self._announce(f"the film of iteration {self._drawing.iteration} was not finished in time")
            self._hand_on()

    def _draw(self) -> None:
        assert self._due is not None and self._poses is not None
        context = multiprocessing.get_context("spawn")  # a fork would inherit the threads and locks of JAX
        answer, hand_in = context.Pipe(duplex=False)
        film = self._folder / f"iteration-{self._due}.mp4"
        work = (hand_in, self._model, np.stack(self._poses), self._view, self._control_dt, film)
        artist = context.Process(target=_paint, args=work, daemon=True)
        artist.start()
        hand_in.close()  # so that an artist who dies is heard
        self._drawing, self._poses, self._due = _Drawing(self._due, artist, answer), None, None

    def _hand_on(self) -> None:
        """Shows a film that is finished."""
        if self._drawing is None or not self._drawing.answer.poll():
            return
        drawing, self._drawing = self._drawing, None
        problem: object = None
        try:
            answer = drawing.answer.recv()
            if isinstance(answer, bytes):
                self._show(drawing.iteration, answer)
            else:
                problem = answer
        except EOFError:
            drawing.artist.join()
            problem = f"the process that draws them ended with status {drawing.artist.exitcode}"
        except OSError as error:
            problem = error
        if problem is not None:
            self._works = False
            self._announce(f"warning: no more films of this run: {problem}")


class _Drawing(NamedTuple):
    iteration: int
    artist: BaseProcess
    answer: Connection  # the film as a small GIF, or what stood in its way, as text


def _paint(
    hand_in: Connection, model: mujoco.MjModel, poses: np.ndarray, view: View, control_dt: float, film: Path
) -> None:
    """Writes the film, in a process of its own: training comes first, and its signals are none of this one's."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    small = film.with_suffix(".gif")
    try:
        film.parent.mkdir(exist_ok=True)
        write_film(film, model, poses, control_dt, view)
        write_film(small, model, poses, control_dt, view, width=320, height=240, frames_per_second=10)
        answer = small.read_bytes()
        small.unlink()
    except (RenderError, OSError) as error:
        answer = str(error)
    hand_in.send(answer)
