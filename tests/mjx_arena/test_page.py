"""The page of a film: what is in it, and that it plays in a real browser without a network."""

import base64
import json
import re
import zlib

import browser
import mujoco
import numpy as np
import pytest

from mjx_arena.page import write_page
from mjx_arena.page.blob import Blob
from mjx_arena.page.scene import Describer
from mjx_arena.tasks.car_soccer import world
from mjx_arena.tasks.humanoid_duel import body as duelist
from mjx_arena.trajectory import Film
from mjx_arena.types import Shot, View

# Two players of two bodies each, a ball that is put elsewhere, and every shape.
MODEL = """
<mujoco>
  <asset>
    <texture name="squares" type="2d" builtin="checker" rgb1=".3 .3 .3" rgb2=".2 .2 .2" width="16" height="16"/>
    <texture name="skin" type="cube" builtin="flat" rgb1=".5 .5 .5" width="8" height="8"/>
    <material name="floor" texture="squares" texrepeat=".5 .5" texuniform="true"/>
    <material name="skin" texture="skin" rgba=".8 .6 .4 1"/>
    <mesh name="wedge" vertex="0 0 0  .5 0 0  0 .5 0  0 0 .5"/>
    <hfield name="hill" nrow="3" ncol="3" size=".5 .5 .2 .1" elevation="0 0 0 0 1 0 0 0 0"/>
  </asset>
  <worldbody>
    <geom type="plane" size="20 20 1" material="floor"/>
    <geom type="mesh" mesh="wedge" pos="-2 2 0"/>
    <geom type="hfield" hfield="hill" pos="2 2 0"/>
    <geom type="ellipsoid" size=".3 .2 .1" pos="0 3 .1" material="skin"/>
    <geom type="box" size=".2 .2 .2" pos="1 3 .2" rgba="1 1 1 .3"/>
    <geom type="sphere" size=".2" pos="1 2 .2" group="3"/>
    <site name="ring" type="cylinder" size="2 .01" rgba=".7 .6 .5 1"/>
    <site name="edge" type="ellipsoid" size="1 .5 .01" rgba=".7 .2 .2 1"/>
    <body name="ball" pos="0 2 .3"><freejoint/><geom size=".1"/></body>
    <body name="red" pos="-.7 0 1">
      <freejoint/><geom type="capsule" size=".3 .4" rgba=".8 .25 .2 1"/>
      <body name="red_arm" pos=".3 0 .2">
        <joint axis="0 1 0"/><geom type="capsule" size=".1" fromto="0 0 0 .4 0 0"/>
      </body>
    </body>
    <body name="blue" pos=".7 0 1">
      <freejoint/><geom type="capsule" size=".3 .4" rgba=".2 .4 .8 1"/>
      <body name="blue_arm" pos=".3 0 .2">
        <joint axis="0 1 0"/><geom type="capsule" size=".1" fromto="0 0 0 .4 0 0"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
VIEW = View(distance=4.0, lookat=(0.0, 0.0, 0.8), elevation=-15.0, seats=("red", "blue"), keys=("Q", "W"))
AWAY = 10.0  # m that the ball is put away, faster than anything moves
STEPS, PUT_AT = 30, 11  # control steps of a film, and the one in which the ball is put elsewhere


@pytest.fixture(scope="module")
def model():
    return mujoco.MjModel.from_xml_string(MODEL)


def make_film(model, control_dt, steps=STEPS, agents=2, keys=("Q", "W"), seed=0):
    """A film of bodies that wander and turn at random."""
    random = np.random.default_rng(seed)
    speed = random.normal(size=model.nv) + np.cumsum(0.3 * random.normal(size=(steps + 1, model.nv)), 0)
    qpos = np.tile(model.qpos0, (steps + 1, 1))
    for step in range(steps):
        qpos[step + 1] = qpos[step]
        mujoco.mj_integratePos(model, qpos[step + 1], speed[step], control_dt)
    nothing = np.zeros((steps + 1, 0))
    metrics = {"reward/win": random.normal(size=steps + 1), "reward/never": np.zeros(steps + 1)}
    metrics |= {f"key/{key}": (random.uniform(size=steps + 1) < 0.5) * 1.0 for key in keys}
    reward = random.normal(size=(steps + 1, agents))
    time = control_dt * np.arange(steps + 1)
    return Film(time, qpos.astype(np.float32), *[nothing] * 4, reward, metrics | {"last/distance": time})


@pytest.fixture(scope="module")
def films(model):
    """Two episodes of 2.4 s in steps so long that the page fills them in; in the second the players are apart."""
    first, second = make_film(model, 0.08), make_film(model, 0.08, seed=1)
    first.qpos[PUT_AT:, 0] += AWAY
    second.qpos[:, [7, 15]] += [-3, 3]
    return [first, second]


@pytest.fixture(scope="module")
def page(model, films, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "match.html"
    write_page(path, model, films, VIEW, "ball_game", ("iteration 3", "</script><b>&"))
    return path


def parts(path):
    """The description in a page, and a function that returns the array at a place, as the page reads it."""
    text = path.read_text()
    about = json.loads(re.search(r'<script id="recording"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
    packed = re.search(r'<script id="arrays"[^>]*>(.*?)</script>', text, re.DOTALL)[1]
    data = zlib.decompress(base64.b64decode(packed))

    def array(place, *shape):
        dtype = np.dtype(place["kind"].removesuffix("Array").lower())
        return np.frombuffer(data, dtype.newbyteorder("<"), place["length"], place["at"]).reshape(shape or -1)

    return about, array


def poses(path, episode):
    """Names of the moving bodies' indices, and their positions and quaternions by frame."""
    about, array = parts(path)
    packed, moving = about["episodes"][episode], about["moving"]
    low, high = array(packed["low"], -1, 3), array(packed["high"], -1, 3)
    position = low + (high - low) * array(packed["position"], -1, len(moving), 3) / 65535
    quaternion = array(packed["quaternion"], -1, len(moving), 4) / 32767
    return about, position, quaternion, array(packed["jumps"], -1, len(moving))


@pytest.mark.parametrize("episode", [0, 1])
def test_unpacked_poses_are_those_of_mujoco(model, films, page, episode):
    about, position, quaternion, _ = poses(page, episode)
    assert about["frames_per_step"] == 3 and len(position) == 3 * STEPS + 1
    assert about["moving"] == [model.body(name).id for name in ("ball", "red", "red_arm", "blue", "blue_arm")]
    data, quantum = mujoco.MjData(model), np.ptp(position, 0) / 65535
    for step, qpos in enumerate(films[episode].qpos):
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        np.testing.assert_array_less(abs(position[3 * step] - data.xpos[about["moving"]]), 0.51 * quantum + 1e-6)
        turn = quaternion[3 * step]
        turn = turn * np.sign((turn * data.xquat[about["moving"]]).sum(-1, keepdims=True))
        np.testing.assert_allclose(turn, data.xquat[about["moving"]], atol=0.51 / 32767)
    assert ((quaternion[1:] * quaternion[:-1]).sum(-1) > 0).all()  # the short way is the right way


def test_limbs_stay_together_in_the_frames_between_steps(model, page):
    about, position, quaternion, _ = poses(page, 0)
    body, arm = (about["moving"].index(model.body(name).id) for name in ("red", "red_arm"))
    shoulder = np.empty((len(position), 3))
    for frame, turn in enumerate(quaternion[:, body].astype(np.float64)):
        mujoco.mju_rotVecQuat(shoulder[frame], model.body("red_arm").pos, turn)
    np.testing.assert_allclose(position[:, body] + shoulder, position[:, arm], atol=1e-3)


def test_a_body_that_is_put_elsewhere_does_not_fly_there(page):
    about, position, _, jumps = poses(page, 0)
    assert np.argwhere(jumps).tolist() == [[3 * PUT_AT, 0]]  # the ball, and nobody else
    frames = position[3 * PUT_AT - 4 : 3 * PUT_AT + 1, 0, 0]
    assert np.ptp(frames[:-1]) < 0.5 and frames[-1] - frames[-2] > AWAY - 1
    assert not poses(page, 1)[3].any()


def test_shapes_have_the_colours_of_mujoco_and_hidden_groups_stay_hidden(model, page):
    about, array = parts(page)
    shapes = {shape["shape"]: shape for shape in reversed(about["shapes"])}  # the first of each, so geoms
    assert len(about["shapes"]) == 12 and shapes.keys() == {
        *("plane", "mesh", "ellipsoid", "box", "cylinder", "sphere", "capsule")
    }
    assert shapes["ellipsoid"]["rgba"] == pytest.approx([0.8, 0.6, 0.4, 1])
    assert shapes["ellipsoid"]["tint"] == pytest.approx([0.5, 0.5, 0.5], abs=0.01)
    assert shapes["box"]["rgba"][3] == pytest.approx(0.3) and "tint" not in shapes["box"]
    assert shapes["plane"]["repeat"] == [0.5, 0.5] and shapes["plane"]["uniform"]
    texture = array(about["textures"][0]["rgba"], 16, 16, 4)
    assert sorted(set(texture[..., 0].ravel())) == [51, 76] and (texture[..., 3] == 255).all()
    wedge, hill = about["meshes"]
    assert len(array(wedge["index"])) == 12 and len(array(hill["index"])) == 3 * 8
    np.testing.assert_allclose(array(hill["position"], -1, 3)[4], [0, 0, 0.2], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(array(hill["normal"], -1, 3), axis=-1), 1, atol=1e-6)


def test_the_camera_is_that_of_a_film(model, films, tmp_path):
    write_page(tmp_path / "still.html", model, films, VIEW, "ball_game")
    about, array = parts(tmp_path / "still.html")
    assert about["camera"]["still"] and about["camera"]["distance"] == 4
    np.testing.assert_allclose(array(about["episodes"][1]["shots"], -1, 6) - [0, 0, 0.8, 4, 115, -15], 0, atol=1e-6)

    def around(pose):  # beyond half a turn, where numbers leap to -180 degrees
        azimuth = (8 * float(pose[0]) + 170 + 180) % 360 - 180
        return Shot((float(pose[0]), 0.0, 1.0), 5.0 + float(pose[0]), azimuth, -20.0)

    write_page(tmp_path / "led.html", model, films, VIEW._replace(steer=around), "ball_game")
    about, array = parts(tmp_path / "led.html")
    shown, ball = array(about["episodes"][0]["shots"], -1, 6), films[0].qpos[:, 0]
    np.testing.assert_allclose(shown[0], [ball[0], 0, 1, 5 + ball[0], 170 + 8 * ball[0], -20], rtol=1e-5)
    assert not about["camera"]["still"] and np.ptp(shown[:, 4]) > 60 and abs(np.diff(shown[:, 4])).max() < 40


def shrink(model, time):
    model.site("ring").size[0] = 2 - time / 4
    model.site("ring").rgba[3] = 1 - time / 8
    model.site("edge").size[1], model.site("edge").pos[2] = 0.5 + time, time


def test_what_a_game_changes_in_its_model_is_changed_in_the_page(model, films, tmp_path):
    before = model.site_size.copy()
    write_page(tmp_path / "match.html", model, films, VIEW._replace(furnish=shrink), "ball_game")
    assert (model.site_size == before).all()
    about, array = parts(tmp_path / "match.html")
    ring, edge = about["changes"]
    assert about["shapes"][ring["shape"]]["shape"] == "cylinder" and ring.keys() == {"shape", "scale", "rgba"}
    assert about["shapes"][edge["shape"]]["shape"] == "ellipsoid" and edge.keys() == {"shape", "scale", "position"}
    time = films[0].time[:, None]
    np.testing.assert_allclose(
        array(ring["scale"], -1, 3), np.hstack([1 - time / 8, 1 - time / 8, 1 + 0 * time]), rtol=1e-6
    )
    np.testing.assert_allclose(array(ring["rgba"], -1, 4)[:, 3], 1 - time[:, 0] / 8, rtol=1e-6)
    np.testing.assert_allclose(
        array(edge["scale"], -1, 3), np.hstack([1 + 0 * time, 1 + 2 * time, 1 + 0 * time]), rtol=1e-6
    )
    np.testing.assert_allclose(array(edge["position"], -1, 3)[:, 2], time[:, 0], rtol=1e-6)


def test_the_sky_and_the_shadows_are_the_model_s():
    model = world.build(2, drawn=True).compile()
    describer = Describer(model, Blob())
    sky, shapes = describer.sky(), describer.shapes(model.qpos0)
    assert sky["zenith"] == pytest.approx([0.25, 0.5, 0.85], abs=0.1) and min(sky["horizon"]) > 0.59
    assert {shape["shadow"] for shape in shapes if shape["body"] == 0} == {False}
    assert Describer(mujoco.MjModel.from_xml_string(MODEL), Blob()).sky() is None


def test_points_add_up_over_the_episodes(model, films, tmp_path):
    view = VIEW._replace(points=lambda pose: (int(pose[0] > 5), 0), colours=((1, 0, 0), (0, 0, 1)))
    write_page(tmp_path / "match.html", model, films[:1] * 2, view, "ball_game")
    about, array = parts(tmp_path / "match.html")
    assert [player["colour"] for player in about["players"]] == [[1, 0, 0], [0, 0, 1]]
    first, second = (array(told["points"], -1, 2) for told in about["captions"])
    np.testing.assert_array_equal(first[:, 0], np.arange(STEPS + 1) >= PUT_AT)
    np.testing.assert_array_equal(second, first + [1, 0])


def test_captions_say_who_plays_and_what_was_paid(model, films, page, tmp_path):
    about, array = parts(page)
    red, blue = about["players"]
    assert (red["seat"], red["name"], red["body"]) == ("red", "iteration 3", model.body("red").id)
    assert blue["colour"] == pytest.approx([0.2, 0.4, 0.8]) and blue["name"] == "</script><b>&"
    assert about["terms"] == ["reward/win"] and about["measures"] == ["last/distance"]
    told = about["captions"][1]
    np.testing.assert_allclose(array(told["reward"], -1, 2), films[1].reward, rtol=1e-6)
    np.testing.assert_allclose(array(told["metrics"]["reward/win"]), films[1].metrics["reward/win"], rtol=1e-6)
    np.testing.assert_array_equal(array(told["held"][1]), films[1].metrics["key/W"])
    write_page(tmp_path / "bare.html", model, films, VIEW, "ball_game", captions=False)
    assert not parts(tmp_path / "bare.html")[0].keys() & {"players", "captions"}


def test_a_page_asks_nothing_of_a_network(page):
    text = page.read_text()
    assert set(re.findall(r"https?://[^\s\"'`]*", text)) <= {"http://www.w3.org/1999/xhtml"}  # a name, no address
    assert re.findall(r"<[^>]*\s(?:src|href)=[\"']?([^\"'>\s]*)", text) == ["data:,"]
    assert "default-src 'none'" in text and "The MIT License" in text


@pytest.mark.parametrize(
    ("spec", "control_dt", "seconds"),
    [(lambda: duelist.build_pair(0.01, True), 0.02, 30), (lambda: world.build(2, drawn=True), 8 / 120, 60)],
    ids=["duel", "car_soccer"],
)
def test_a_whole_match_fits_into_a_mail(tmp_path, spec, control_dt, seconds):
    model = spec().compile()
    film = make_film(model, control_dt, round(seconds / control_dt), keys=())
    write_page(tmp_path / "match.html", model, [film], View(), "match")
    assert (tmp_path / "match.html").stat().st_size < 3e6


def test_a_place_that_cannot_be_written_is_named_by_the_system(model, films, tmp_path):
    with pytest.raises(FileNotFoundError):
        write_page(tmp_path / "missing" / "match.html", model, films, VIEW, "ball_game")
    assert list(tmp_path.iterdir()) == []


def share(picture, colour):
    """The share of pixels that have the hue of `colour`, in whatever light."""
    pixels = np.float64(picture) / np.maximum(np.linalg.norm(picture, axis=-1, keepdims=True), 60)
    return (pixels @ (np.array(colour) / np.linalg.norm(colour)) > 0.97).mean()


def test_the_page_plays_in_a_browser_without_a_network(page, tmp_path):
    clock = "parseFloat(document.getElementById('clock').textContent)"
    with browser.chromium(420, 320) as window:
        browser.opened(window, page, "document.getElementById('message').hidden")
        start = browser.picture(window, tmp_path)
        assert share(start, (0.8, 0.25, 0.2)) > 0.005 and share(start, (0.2, 0.4, 0.8)) > 0.005
        assert window.execute_script(f"return {clock}") == 0

        play = "document.getElementById('play').click()"
        window.execute_script(play)
        browser.until(window, f"{clock} > 0.05")
        window.execute_script(play)

        scrub = "const time = document.getElementById('time'); time.value = 2; time.dispatchEvent(new Event('input'))"
        window.execute_script(scrub)
        browser.until(window, f"{clock} === 2")
        held = window.execute_script("return [...document.querySelectorAll('kbd.held')].map((key) => key.textContent)")
        about, array = parts(page)
        assert held == [key for key, at in zip("QW", about["captions"][0]["held"], strict=True) if array(at)[25]]
        later = browser.picture(window, tmp_path)
        assert (abs(later.astype(int) - start).max(-1) > 40).mean() > 0.02

        assert browser.errors(window) == []
        assert window.execute_script("return performance.getEntriesByType('resource').length") == 0
