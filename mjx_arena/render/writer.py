"""Films and stills as files, written as a whole or not at all."""

import collections
import contextlib
import math
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imageio.v2
import imageio_ffmpeg
import mujoco
import numpy as np
from PIL import GifImagePlugin, Image

from mjx_arena.drafts import draft_of
from mjx_arena.render.caption import Caption
from mjx_arena.render.frames import FOLLOWING, Moment, draw
from mjx_arena.render.timeline import Timeline
from mjx_arena.types import View

FRAMES_PER_SECOND = 60
_SHORTEST = 0.02  # s of a GIF's frame; browsers show shorter ones for 0.1 s
_AHEAD = 2  # frames that wait for the encoder
# A quarter of the time of the encoder's defaults, for films twice as large; on one thread, beside the drawing.
_ENCODER = ("-preset", "superfast", "-bf", "0", "-crf", "23", "-threads", "1", "-movflags", "+faststart")
_COLOURS = ("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709")  # or players would guess


def write_film(
    path: Path,
    model: mujoco.MjModel,
    matches: Sequence[np.ndarray],
    control_dt: float,
    view: View = FOLLOWING,
    captions: Callable[[int, float], Caption] | None = None,
    width: int = 1280,
    height: int = 720,
    frames_per_second: int = FRAMES_PER_SECOND,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes an `.mp4` of `matches`, the poses `[S, nq]` of each `control_dt` seconds apart, one after the other.

    Frame k of a match shows it k / `frames_per_second` s after its start, between two control steps if need be, so the
    film lasts as long as the matches took, to half a frame. Draws one frame at a time while the ones before are
    encoded, and asks for the caption of `(match, time)` when it is needed. `progress` is told how many frames of how
    many are done. Width and height are even. Raises RenderError and OSError.
    """
    lines = [Timeline(model, poses, control_dt) for poses in matches]
    ends = np.round(np.cumsum([line.duration for line in lines]) * frames_per_second).astype(int)
    lengths = np.maximum(np.diff(ends, prepend=0), 1).tolist()

    def moments() -> Iterator[Moment]:
        for match, (line, length) in enumerate(zip(lines, lengths, strict=True)):
            for frame in range(length):
                time = frame / frames_per_second
                caption = None if captions is None else captions(match, time)
                yield Moment(line.at(time), time, caption, begins=frame == 0)

    frames = draw(model, moments(), width, height, view)
    with contextlib.closing(frames), draft_of(path) as draft:
        _write_mp4(draft, _told(frames, sum(lengths), progress), frames_per_second)


def write_gif(
    path: Path,
    model: mujoco.MjModel,
    poses: np.ndarray,
    control_dt: float,
    view: View = FOLLOWING,
    width: int = 320,
    height: int = 240,
    frames_per_second: float = 10,
) -> None:
    """Writes a `.gif` of every k-th of `poses` `[T, nq]`, with the k that comes closest to `frames_per_second`.

    It plays as long as `T` control steps take. Raises RenderError and OSError.
    """
    every = max(1, round(1 / control_dt / frames_per_second), math.ceil(round(_SHORTEST / control_dt, 6)))
    shown = np.arange(0, len(poses), every)
    if len(shown) > 1 and (len(poses) - shown[-1]) * control_dt < _SHORTEST:
        shown = shown[:-1]
    moments = (Moment(poses[step], step * control_dt, begins=step == 0) for step in shown)
    frames = draw(model, moments, width, height, view)
    with contextlib.closing(frames), draft_of(path) as draft:
        _write_gif(draft, frames, _hundredths(np.append(shown, len(poses)) * control_dt))


def write_stills(path: Path, model: mujoco.MjModel, moments: Sequence[Moment], view: View, size: int = 320) -> None:
    """Writes `moments` side by side as one picture, in squares of `size` pixels. Raises RenderError and OSError."""
    strip = np.empty((size, len(moments), size, 3), np.uint8)
    for index, frame in enumerate(draw(model, moments, 2 * size, 2 * size, view)):  # for smoother edges
        strip[:, index] = np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BOX))
    with draft_of(path) as draft:
        imageio.v2.imwrite(draft, strip.reshape(size, -1, 3))


def _told(
    frames: Generator[np.ndarray], total: int, progress: Callable[[int, int], None] | None
) -> Iterator[np.ndarray]:
    """Yields `frames`, and tells `progress` of each one that was taken."""
    for done, frame in enumerate(frames, start=1):
        yield frame
        if progress is not None:
            progress(done, total)


def _hundredths(times: np.ndarray) -> list[int]:
    """Returns the gaps between `times` `[N + 1]` s in 1/100 s `[N]`, the unit of GIFs; only their sum is rounded."""
    return np.diff(np.round(100 * times)).astype(int).tolist()


def _write_gif(path: Path, frames: Iterable[np.ndarray], delays: Iterable[int]) -> None:
    """Writes `frames`, each shown for its delay in 1/100 s. Pillow's and imageio's writers would keep all in memory."""
    with path.open("wb") as file:
        for index, (frame, delay) in enumerate(zip(frames, delays, strict=True)):
            image = Image.fromarray(frame).convert("P", palette=Image.Palette.ADAPTIVE)
            if index == 0:
                header, _ = GifImagePlugin.getheader(image, info={"loop": 0})
                file.writelines(header)
            own_colours = index > 0  # the first frame's are in the header
            file.writelines(GifImagePlugin.getdata(image, duration=10 * delay, include_color_table=own_colours))
        file.write(b";")


def _write_mp4(path: Path, frames: Iterable[np.ndarray], rate: int) -> None:
    """Writes `frames` at `rate` frames per second. Raises OSError."""
    path.touch()  # its error says what is wrong with the path; the encoder would just exit
    written, waiting = 0, collections.deque[Future[None]]()
    options = {"macro_block_size": 2, "output_params": [*_COLOURS, *_ENCODER], "ffmpeg_log_level": "quiet"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "os.fork")  # the child only runs the encoder, so JAX's threads do not matter
        writer: Any = imageio.v2.get_writer(path, fps=rate, **options)
        with writer, ThreadPoolExecutor(1) as pool:
            for frame in frames:
                waiting.append(pool.submit(writer.append_data, frame))
                del frame
                if len(waiting) > _AHEAD:
                    _finish(waiting.popleft())
                written += 1
            while waiting:
                _finish(waiting.popleft())
        try:
            found, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
        except RuntimeError:
            found = 0
    if found != written:  # imageio does not say how the encoder ended
        raise OSError(f"the encoder wrote {found} of {written} frames")


def _finish(frame: Future[None]) -> None:
    try:
        frame.result()
    except OSError as error:
        raise OSError("the encoder ended before the film did") from error
