"""Films a run while it trains: short films of one of its arenas, drawn by another process.

The poses come with the metrics, so no device waits for a picture; a renderer that crashes does not stop the run.
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

from mjx_arena import opengl
from mjx_arena.render import RenderError, write_film, write_gif
from mjx_arena.types import View
from mjx_arena.validation import SettingError

_LONGEST = 10.0  # s, of one film
_PATIENCE = 30.0  # s that the end of a run waits for its last film


class VideoRecorder:
    """Films the first match that begins after every `interval` iterations, into `folder`.

    `show` gets the iteration and the film as a small GIF. Where no renderer works, it announces that once and then
    does nothing.
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
        self._poses: list[np.ndarray] | None = None  # [nq] each, of the match that is being filmed
        self._due: int | None = None  # iteration of the film that is due or being taken
        self._rendering: _Rendering | None = None
        self._works = True
        try:
            opengl.platforms()
        except SettingError as error:
            self._works = False
            announce(f"warning: no films of this run: {error}")

    def take(self, iteration: int, frames: Mapping[str, np.ndarray]) -> None:
        """Takes one arena's frames of an iteration: `pose` `[T, nq]` before each step, `ended` `[T]` bool after it."""
        self._collect_finished()
        if iteration % self._interval == 0 and self._due is None and self._rendering is None and self._works:
            self._due = iteration
        if self._due is None:
            return
        for pose, ended in zip(frames["pose"], frames["ended"], strict=True):
            if self._poses is not None:
                self._poses.append(pose)
                if ended or len(self._poses) * self._control_dt >= _LONGEST:
                    return self._start_worker()
            elif ended:
                self._poses = []  # the next pose is the first of a match

    def close(self) -> None:
        """Waits up to 30 s for a film that is being drawn."""
        if self._rendering is not None:
            if not self._rendering.receiver.poll(_PATIENCE):
                self._announce(f"the film of iteration {self._rendering.iteration} was not finished in time")
            self._collect_finished()

    def _start_worker(self) -> None:
        assert self._due is not None and self._poses is not None
        context = multiprocessing.get_context("spawn")  # a fork would inherit the threads and locks of JAX
        receiver, sender = context.Pipe(duplex=False)
        film = self._folder / f"iteration-{self._due}.mp4"
        work = (sender, self._model, np.stack(self._poses), self._view, self._control_dt, film)
        worker = context.Process(target=_render_worker, args=work, daemon=True)
        worker.start()
        sender.close()  # so that the receiver gets EOFError if the worker dies
        self._rendering, self._poses, self._due = _Rendering(self._due, worker, receiver), None, None

    def _collect_finished(self) -> None:
        """Shows a film that is finished, or announces why there is none."""
        if self._rendering is None or not self._rendering.receiver.poll():
            return
        rendering, self._rendering = self._rendering, None
        problem: object = None
        try:
            result = rendering.receiver.recv()
            if isinstance(result, bytes):
                self._show(rendering.iteration, result)
            else:
                problem = result
        except EOFError:
            rendering.worker.join()
            problem = f"the process that draws them ended with status {rendering.worker.exitcode}"
        except OSError as error:
            problem = error
        if problem is not None:
            self._works = False
            self._announce(f"warning: no more films of this run: {problem}")


class _Rendering(NamedTuple):
    """A film that another process draws."""

    iteration: int
    worker: BaseProcess
    receiver: Connection  # gets the film as a small GIF, or an error as text


def _render_worker(
    sender: Connection, model: mujoco.MjModel, poses: np.ndarray, view: View, control_dt: float, film: Path
) -> None:
    """Writes the film in its own process: with low priority, so that training comes first, and ignoring Ctrl-C."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    small = film.with_suffix(".gif")
    try:
        film.parent.mkdir(exist_ok=True)
        write_film(film, model, [poses], control_dt, view, width=640, height=360)
        write_gif(small, model, poses, control_dt, view)
        result = small.read_bytes()
        small.unlink()
    except (RenderError, OSError) as error:
        result = str(error)
    sender.send(result)
