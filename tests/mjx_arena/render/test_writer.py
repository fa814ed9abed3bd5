"""Films and stills as files: how long they play, what they hold in memory, and what is left where one fails."""

import gc
import weakref

import imageio.v3 as imageio
import imageio_ffmpeg
import mujoco
import numpy as np
import pytest
from PIL import Image

from mjx_arena.render import Moment, RenderError, write_film, write_gif, write_stills, writer
from mjx_arena.render.caption import Caption
from mjx_arena.types import View

BALL = "<mujoco><worldbody><light pos='0 0 3'/><body><freejoint/><geom size='.2'/></body></worldbody></mujoco>"


@pytest.fixture(scope="module")
def model():
    return mujoco.MjModel.from_xml_string(BALL)


class Drawn:
    """Stands in for the renderer, with plain frames that differ, and counts what is held while they are taken."""

    def __init__(self):
        self.poses, self.moments, self.fails_at, self.error = [], [], None, None
        self.captions_taken, self.captions_ahead = 0, 0
        self.alive, self.most_alive, self.most_images = 0, 0, 0

    def __call__(self, model, moments, width, height, view=None):
        for number, moment in enumerate(moments):
            if number == self.fails_at:
                raise self.error
            self.captions_ahead = max(self.captions_ahead, self.captions_taken - number)
            self.poses.append(float(moment.pose[0]))
            self.moments.append(moment)
            yield self.frame(number, width, height)
            if number % 20 == 0:
                self.most_images = max(self.most_images, images_alive())

    def frame(self, number, width, height):
        frame = np.full((height, width, 3), number % 200, np.uint8)
        frame[0, : number // 200 + 1] = 255
        weakref.finalize(frame, self.forget)
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        return frame

    def forget(self):
        self.alive -= 1

    def caption(self, match, time):
        self.captions_taken += 1
        return Caption(time)


def images_alive():
    return sum(issubclass(type(thing), Image.Image) for thing in gc.get_objects())


@pytest.fixture
def drawn(monkeypatch):
    stand_in = Drawn()
    monkeypatch.setattr(writer, "draw", stand_in)
    return stand_in


def numbered(length):
    """Poses whose first coordinate says which one it is."""
    poses = np.zeros((length, 7))
    poses[:, 0] = np.arange(length)
    return poses


def write(path, model, poses, control_dt, **sizes):
    """Writes one match as what the path's ending says."""
    if path.suffix == ".gif":
        return write_gif(path, model, poses, control_dt, frames_per_second=50, **sizes)
    write_film(path, model, [poses], control_dt, **sizes)


def delays(path):
    """Seconds that each frame of a GIF is shown."""
    with Image.open(path) as image:
        found = []
        for index in range(image.n_frames):
            image.seek(index)
            found.append(image.info.get("duration", 0) / 1000)
    return np.array(found)


@pytest.mark.parametrize("length", [1, 2, 100, 101])
@pytest.mark.parametrize(
    ("control_dt", "rate"),
    [(1 / 50, 30), (1 / 60, 30), (0.015, 30), (0.015, 10), (8 / 120, 10), (0.015, 200), (0.001, 200)],
)
def test_a_gif_plays_as_long_as_its_poses_took(model, drawn, tmp_path, control_dt, rate, length):
    path = tmp_path / "film.gif"
    write_gif(path, model, numbered(length), control_dt, width=32, height=32, frames_per_second=rate)
    shown = delays(path)
    assert len(shown) == len(drawn.poses)
    assert shown.sum() == pytest.approx(length * control_dt, abs=0.0051)
    # No frame comes early or late either, and none is so short that a browser would slow it down.
    begins = np.concatenate([[0], np.cumsum(shown)[:-1]])
    np.testing.assert_allclose(begins, np.array(drawn.poses) * control_dt, atol=0.0051)
    assert length * control_dt < 0.02 or (shown > 0.0199).all()


def test_a_gif_shows_the_frames_in_their_colours_and_starts_over_at_its_end(model, monkeypatch, tmp_path):
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    monkeypatch.setattr(writer, "draw", lambda *_: (np.full((32, 48, 3), rgb, np.uint8) for rgb in colours))
    write_gif(tmp_path / "film.gif", model, numbered(3), 0.1)
    found = imageio.imread(tmp_path / "film.gif")
    assert found.shape == (3, 32, 48, 3)
    np.testing.assert_allclose(found[:, 16, 24], colours, atol=8)
    with Image.open(tmp_path / "film.gif") as image:
        assert image.info["loop"] == 0  # for ever


@pytest.mark.parametrize("control_dt", [1 / 50, 1 / 60, 0.015, 8 / 120])
def test_a_film_has_60_frames_a_second_and_lasts_as_long_as_the_matches_took(model, drawn, tmp_path, control_dt):
    path, matches = tmp_path / "film.mp4", [numbered(61), numbered(38), numbered(1)]
    write_film(path, model, matches, control_dt, captions=drawn.caption, width=32, height=32)
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    played = (60 + 37) * control_dt
    assert next(imageio_ffmpeg.read_frames(str(path)))["fps"] == 60.0
    assert frames == len(drawn.poses) == round(60 * played) + 1  # a match without a step is shown for one frame
    assert seconds == pytest.approx(frames / 60, abs=0.01)  # ffmpeg tells whole hundredths
    for match in (drawn.moments[: (first := round(60 * 60 * control_dt))], drawn.moments[first:-1]):
        # Frame k shows the match k/60 s after it began, and the clock says so.
        times = np.arange(len(match)) / 60
        np.testing.assert_allclose([moment.time for moment in match], times)
        assert [moment.caption.time for moment in match] == [moment.time for moment in match]
        np.testing.assert_allclose([moment.pose[0] for moment in match], times / control_dt, atol=1e-5)
        assert [moment.begins for moment in match] == [True] + [False] * (len(match) - 1)


def test_other_rates_are_met_too_and_the_progress_is_told(model, drawn, tmp_path):
    told = []
    write_film(
        tmp_path / "film.mp4",
        model,
        [numbered(11)],
        0.1,
        width=32,
        height=32,
        frames_per_second=25,
        progress=lambda done, total: told.append((done, total)),
    )
    assert next(imageio_ffmpeg.read_frames(str(tmp_path / "film.mp4")))["fps"] == 25
    assert told == [(done, 25) for done in range(1, 26)]


def test_a_longer_film_takes_no_more_memory(model, drawn, tmp_path):
    before = images_alive()
    write_film(tmp_path / "film.mp4", model, [numbered(400)], 1 / 60, captions=drawn.caption, width=32, height=32)
    assert len(drawn.poses) == 399
    assert drawn.most_alive <= 6 and drawn.most_images - before <= 3
    assert drawn.captions_ahead <= 1


def test_a_longer_gif_takes_no_more_memory(model, drawn, tmp_path):
    before = images_alive()
    write_gif(tmp_path / "film.gif", model, numbered(400), 0.02, width=32, height=32, frames_per_second=30)
    assert len(drawn.poses) == 200
    assert drawn.most_alive <= 3 and drawn.most_images - before <= 3


@pytest.mark.parametrize("ending", ["gif", "mp4"])
@pytest.mark.parametrize("error", [RenderError("no more"), KeyboardInterrupt(), OSError("full")])
def test_a_film_that_fails_leaves_what_was_there(model, drawn, tmp_path, ending, error):
    path = tmp_path / f"film.{ending}"
    path.write_text("an older film")
    drawn.fails_at, drawn.error = 40, error
    with pytest.raises(type(error)):
        write(path, model, numbered(100), 0.02, width=160, height=128)
    assert [file.name for file in tmp_path.iterdir()] == [path.name] and path.read_text() == "an older film"


@pytest.mark.parametrize("ends", ["exit 1", "cat > /dev/null; exit 1"])
def test_an_encoder_that_fails_is_an_error_and_leaves_nothing(model, drawn, tmp_path, monkeypatch, capfd, ends):
    encoder, out = tmp_path / "ffmpeg", tmp_path / "out"
    out.mkdir()
    real = imageio_ffmpeg.get_ffmpeg_exe()
    encoder.write_text(f'#!/bin/sh\ncase "$*" in *rawvideo*film*) {ends};; esac\nexec {real} "$@"\n')
    encoder.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(encoder))
    with pytest.raises(OSError, match="the encoder") as raised:
        write_film(out / "film.mp4", model, [numbered(40)], 0.02)
    assert "\n" not in str(raised.value) and list(out.iterdir()) == [] and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_a_place_that_cannot_be_written_is_named_by_the_system(model, drawn, tmp_path, name):
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "missing" / name, model, numbered(3), 0.02)


def test_stills_stand_side_by_side(model, monkeypatch, tmp_path):
    shades = [10, 100, 200]
    monkeypatch.setattr(writer, "draw", lambda *_: (np.full((16, 16, 3), shade, np.uint8) for shade in shades))
    write_stills(tmp_path / "strip.png", model, [Moment(pose) for pose in numbered(3)], View(), size=16)
    strip = imageio.imread(tmp_path / "strip.png")
    assert strip.shape == (16, 48, 3)
    np.testing.assert_array_equal(strip[8, ::16, 0], shades)
