"""Frames as MuJoCo draws them: their order, their captions, and shadows that are drawn where they are alone."""

import mujoco
import numpy as np
import pytest

from mjx_arena.render import Moment, RenderError, draw, render
from mjx_arena.render.caption import Caption
from mjx_arena.render.shadows import Shadows
from mjx_arena.types import View

SCENE = """<mujoco><statistic extent='3'/><worldbody>
  <light type='directional' dir='-.3 .2 -1' pos='0 0 5' castshadow='true'/>
  <geom type='plane' size='9 9 1' rgba='.8 .8 .8 1'/>
  <body pos='0 0 1'><freejoint/><geom size='.2' rgba='.9 .1 .1 1'/></body>
</worldbody></mujoco>"""
SIZE = (160, 120)


@pytest.fixture(scope="module")
def model():
    found = mujoco.MjModel.from_xml_string(SCENE)
    try:
        next(render(found, [found.qpos0], 32, 32))
    except RenderError as error:
        pytest.skip(str(error))
    return found


def test_a_frame_has_its_size_and_stands_upright(model):
    (frame,) = render(model, [model.qpos0], *SIZE)
    assert frame.shape == (120, 160, 3) and frame.dtype == np.uint8
    red = np.argwhere(frame[..., 0].astype(int) - frame[..., 1] > 60)
    assert len(red) > 30 and red[:, 0].mean() < 60  # the ball hangs above the point that the camera looks at
    assert frame[:20].mean() < frame[-20:].mean()  # without a sky there is only the ground, below


def test_captions_are_written_and_furniture_is_moved(model):
    def shrink(drawn, time):
        drawn.geom_size[1] = 0.2 if time < 1 else 0.02

    moments = [Moment(model.qpos0, 0.0), Moment(model.qpos0, 0.0, Caption(0.0)), Moment(model.qpos0, 2.0)]
    plain, written, later = draw(model, moments, *SIZE, View(furnish=shrink))
    changed = (plain != written).any(-1)
    assert changed[:40, :60].any() and not changed[60:, 80:].any()
    red = [(frame[..., 0].astype(int) - frame[..., 1] > 60).sum() for frame in (plain, later)]
    assert red[0] > 4 * red[1]
    shrink(model, 0)


def test_shadows_are_those_of_the_whole_picture(model, monkeypatch):
    poses = np.tile(model.qpos0, (2, 1))
    poses[1, :3] = 0.4, 0.5, 0.3
    parts, found = [], Shadows.windows

    def windows(self, *arguments):
        parts.append(found(self, *arguments))
        return parts[-1]

    monkeypatch.setattr(Shadows, "windows", windows)
    drawn = list(render(model, poses, *SIZE))
    monkeypatch.setattr(Shadows, "_spheres", lambda self, scene, _: [(np.array(scene.camera[0].pos)[None], np.ones(1))])
    whole = list(render(model, poses, *SIZE))
    for (part,), (full,) in zip(parts[:2], parts[2:], strict=True):
        assert part.width * part.height < 0.5 * full.width * full.height and full[:2] == (0, 0)
    for one, other in zip(drawn, whole, strict=True):
        assert (np.abs(one.astype(int) - other) > 8).any(-1).mean() < 0.003
        shadow = (other.max(-1) < 0.75 * np.median(other[-20:])) & (other[..., 0] < 120)
        assert shadow[40:].sum() > 10  # so there is one


@pytest.fixture
def parts():
    """The parts of a picture with shadows, of a scene `xml` in a pose."""

    def find(xml, qpos=None):
        model = mujoco.MjModel.from_xml_string(xml)
        scene, data, camera = mujoco.MjvScene(model, 10), mujoco.MjData(model), mujoco.MjvCamera()
        data.qpos[:] = model.qpos0 if qpos is None else qpos
        camera.distance, camera.elevation, camera.azimuth = 6, -20, 90
        mujoco.mj_forward(model, data)
        mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, camera, mujoco.mjtCatBit.mjCAT_ALL, scene)
        return Shadows(model).windows(scene, data, *SIZE)

    return find


def test_what_stands_fixed_may_cast_shadows_anywhere(parts):
    (part,) = parts(SCENE.replace("<body", "<geom type='box' size='1 1 1'/><body"))
    assert part[:4] == (0, 0, *SIZE)


def test_bodies_far_apart_have_a_part_each_and_none_behind_the_camera(parts):
    pair = SCENE.replace("</worldbody>", "<body><freejoint/><geom size='.2'/></body></worldbody>")

    def poses(*places):
        return np.concatenate([[*place, 1, 0, 0, 0] for place in places])

    left, right = sorted(parts(pair, poses((-2.2, 0, 0.3), (2.2, 0, 0.3))))
    assert left.left + left.width < SIZE[0] / 2 < right.left
    assert len(parts(pair, poses((0, 0, 0.3), (0.3, 0, 0.3)))) == 1
    assert len(parts(pair, poses((0, 0, 0.3), (0, -40, 0.3)))) == 1
    assert parts(pair, poses((0, -60, 0.3), (0, -40, 0.3))) == []
