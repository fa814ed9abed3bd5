"""Films of arenas that broke, from a dump, for the command record."""

import textwrap
from pathlib import Path

import numpy as np

from league.run.dump_file import BrokenArena, Dump
from mjx_arena.render import WHITE, Caption, Moment, Player, write_film, write_stills
from mjx_arena.types import View

_SHOWN = 1 / 8  # s for which a control step is shown: in their own time, 16 of them would pass in a blink
_HELD = 12  # times that the end of each arena is shown
_LETTERS = 40  # of a note's line


def film(out: Path, dump: Dump, captions: bool) -> None:
    """Writes the last steps of all arenas of `dump`, one after another and slowly, to an `.mp4`.

    Each ends with its last finite pose. Raises DumpError without a model, RenderError and OSError.
    """

    def caption(match: int, time: float) -> Caption:
        broken = dump.arenas[match]
        return caption_of(broken, min(int(time / _SHOWN + 1e-6), len(broken.film)), dump.view)

    poses = [_held(broken) for broken in dump.arenas]
    write_film(out, dump.drawn_model(), poses, _SHOWN, dump.view, caption if captions else None)


def stills(out: Path, dump: Dump, count: int) -> None:
    """Writes the last `count` states of the first arena of `dump`, or fewer, as a strip. Raises as `film` does."""
    moments = [Moment(pose) for pose in dump.arenas[0].poses()[-count:]]
    write_stills(out, dump.drawn_model(), moments, dump.view)


def caption_of(broken: BrokenArena, step: int, view: View) -> Caption:
    """Returns the caption of state `step`, from 0: players, time, steps, speed, and at the end what is not finite."""
    seats = view.seats or tuple(f"seat {index}" for index in range(len(broken.players)))
    colours = view.colours or [WHITE] * len(seats)
    notes = [f"iteration {broken.iteration}, after step {broken.step - len(broken.film) + step}"]
    if broken.film.qvel.shape[1]:
        notes.append(f"largest |qvel| {np.abs(broken.film.qvel[step]).max():.3g}")
    if step == len(broken.film):
        notes += textwrap.wrap(f"not finite: {', '.join(broken.nonfinite)}", _LETTERS)
    players = tuple(Player(*each) for each in zip(seats, broken.players, colours, strict=False))
    return Caption(time=float(broken.film.time[step]), players=players, notes=tuple(notes))


def _held(broken: BrokenArena) -> np.ndarray:
    poses = broken.poses()
    return np.concatenate([poses, np.repeat(poses[-1:], _HELD, axis=0)])
