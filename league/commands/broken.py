"""Films of arenas that broke, from a dump, for the command record."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from league.run.dump_file import BrokenArena, Dump
from mjx_arena.render import write_film, write_stills
from mjx_arena.trajectory import Caption

_SHOWN = 1 / 8  # s for which a control step is shown: in their own time, 16 of them would pass in a blink
_HELD = 12  # times that the end of each arena is shown


def film(out: Path, dump: Dump, captions: bool) -> None:
    """Writes the last steps of all arenas of `dump`, one after another and slowly, to an `.mp4`.

    Each ends with its last finite pose. Raises DumpError without a model, RenderError and OSError.
    """
    poses = [pose for broken in dump.arenas for pose in _held(broken)]
    texts = _captions(dump) if captions else None
    write_film(out, dump.drawn_model(), np.stack(poses), _SHOWN, dump.view, texts)


def stills(out: Path, dump: Dump, count: int) -> None:
    """Writes the last `count` states of the first arena of `dump`, or fewer, as a strip. Raises as `film` does."""
    write_stills(out, dump.drawn_model(), dump.arenas[0].poses()[-count:], dump.view)


def _held(broken: BrokenArena) -> np.ndarray:
    poses = broken.poses()
    return np.concatenate([poses, np.repeat(poses[-1:], _HELD, axis=0)])


def _captions(dump: Dump) -> Iterator[Caption]:
    for broken in dump.arenas:
        last = len(broken.film)
        for step in range(last + 1 + _HELD):
            yield broken.caption(min(step, last), dump.view.seats)
