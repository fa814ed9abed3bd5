"""Films of a run while it trains: which poses they show, and that a renderer that fails only costs the films."""

import io
import time

import imageio.v3 as imageio
import mujoco
import numpy as np
import pytest
from PIL import Image

from league.run import video
from league.run.video import VideoRecorder
from mjx_arena.render import RenderError, render
from mjx_arena.types import View

BALL = "<mujoco><worldbody><light pos='0 0 3'/><body><freejoint/><geom size='.2'/></body></worldbody></mujoco>"
T = 8


@pytest.fixture(scope="module")
def model():
    return mujoco.MjModel.from_xml_string(BALL)


class Recorder:
    def __init__(self):
        self.films = []

    def show(self, iteration, picture):
        self.films.append((iteration, picture))


def frames(iteration, ends=()):
    """Of an iteration whose poses are numbered through the run, T in each, from T x iteration on."""
    number = T * iteration + np.arange(T)
    pose = np.zeros((T, 7))
    pose[:, 0], pose[:, 3] = number / 100, 1
    return {"pose": pose, "ended": np.isin(number, ends)}


@pytest.fixture
def make(model, tmp_path):
    opened = []

    def build(interval=2, control_dt=0.1):
        announced, writer = [], Recorder()
        folder = tmp_path / "films"
        made = VideoRecorder(model, View(), control_dt, interval, folder, writer.show, announced.append)
        opened.append(made)
        return made, writer, announced, folder

    yield build
    for made in opened:
        made.close()


@pytest.fixture
def drawn(monkeypatch):
    """Numbers of the poses that would be drawn, instead of a drawing."""
    found = []
    monkeypatch.delenv("MUJOCO_GL", raising=False)

    def draw(self):
        found.append((self._due, [round(100 * float(pose[0])) for pose in self._poses]))
        self._poses = self._due = None

    monkeypatch.setattr(VideoRecorder, "_start_worker", draw)
    return found


def test_a_film_shows_the_first_match_that_begins_after_it_is_due(make, drawn):
    made = make()[0]
    ends = (5, 19, 30, 45)
    for iteration in range(1, 7):
        made.take(iteration, frames(iteration, ends))
    # Due with iteration 2, whose poses begin at 16: the match from 20 on ends at 30. In iteration 4 the next is due,
    # from 46 on, and does not end before the poses do.
    assert drawn == [(2, list(range(20, 31)))]


def test_a_film_is_cut_where_it_gets_long(make, drawn):
    made = make(control_dt=1.0)[0]
    for iteration in range(1, 6):
        made.take(iteration, frames(iteration, (16,)))
    assert drawn == [(2, list(range(17, 27)))]  # 10 s


def needs_renderer(model):
    try:
        next(render(model, [model.qpos0], 32, 32))
    except RenderError as error:
        pytest.skip(str(error))


def test_films_are_written_and_shown(model, make):
    needs_renderer(model)
    made, writer, announced, folder = make()
    for iteration in range(1, 5):
        made.take(iteration, frames(iteration, (19, 30)))
    made.close()
    assert [iteration for iteration, _ in writer.films] == [2] and announced == []
    assert [path.name for path in folder.iterdir()] == ["iteration-2.mp4"]
    film = imageio.imread(folder / "iteration-2.mp4")
    assert film.shape == (60, 360, 640, 3) and film[0].std() > 1  # 1 s between the first pose and the last
    with Image.open(io.BytesIO(writer.films[0][1])) as small:
        assert small.size == (320, 240)


def test_the_small_film_plays_as_long_as_the_match_took(model, make):
    needs_renderer(model)
    made, writer, _, _ = make(control_dt=0.015)  # of which no number makes up whole hundredths but every second
    for iteration in range(1, 7):
        made.take(iteration, frames(iteration, (19, 40)))
    made.close()
    with Image.open(io.BytesIO(writer.films[0][1])) as small:
        assert small.n_frames == 3
        assert sum(_duration(small, index) for index in range(3)) == pytest.approx(1000 * 0.015 * 21, abs=5.1)


def _duration(image, index):
    image.seek(index)
    return image.info["duration"]


def test_a_renderer_that_fails_is_reported_once(make, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "glfw")  # and there is no display
    monkeypatch.delenv("DISPLAY", raising=False)
    made, writer, announced, _ = make()
    for iteration in range(1, 5):
        made.take(iteration, frames(iteration, (19, 30)))
    deadline = time.monotonic() + video._PATIENCE
    while not announced and time.monotonic() < deadline:
        made.take(5, frames(5))
        time.sleep(0.05)
    assert len(announced) == 1 and announced[0].startswith("warning: no more films of this run: no renderer works here")
    for iteration in range(6, 10):
        made.take(iteration, frames(iteration, (49, 60)))
    made.close()
    assert len(announced) == 1 and writer.films == []


def test_a_worker_whose_platform_is_none_is_reported_in_its_own_words(make, monkeypatch, capfd):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    made, writer, announced, _ = make()
    monkeypatch.setenv("MUJOCO_GL", "foo")
    for iteration in range(1, 4):
        made.take(iteration, frames(iteration, (19, 30)))
    made.close()
    assert len(announced) == 1 and announced[0].startswith("warning: no more films of this run: MUJOCO_GL=foo: ")
    assert writer.films == [] and "Traceback" not in capfd.readouterr().err


def test_a_platform_that_is_none_is_reported_at_once_and_nothing_is_started(make, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "foo")
    made, writer, announced, _ = make()
    assert len(announced) == 1 and announced[0].startswith("warning: no films of this run: MUJOCO_GL=foo: ")
    for iteration in range(1, 4):
        made.take(iteration, frames(iteration, (19, 30)))
    assert made._rendering is None
    made.close()
    assert len(announced) == 1 and writer.films == []


def test_a_worker_that_dies_is_reported_too(make, monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    made, writer, announced, _ = make()
    for iteration in range(1, 4):
        made.take(iteration, frames(iteration, (19, 30)))
    made._rendering.worker.kill()
    made.close()
    assert announced == ["warning: no more films of this run: the process that draws them ended with status -9"]
    assert writer.films == []


def test_a_folder_that_cannot_be_written_costs_the_films_alone(model, make, tmp_path):
    needs_renderer(model)
    (tmp_path / "films").write_text("in the way")
    made, writer, announced, _ = make()
    for iteration in range(1, 4):
        made.take(iteration, frames(iteration, (19, 30)))
    made.close()
    assert len(announced) == 1 and announced[0].startswith("warning: no more films of this run: [Errno")
    assert writer.films == []
