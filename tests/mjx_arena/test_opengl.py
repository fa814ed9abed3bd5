"""MUJOCO_GL: what it may be, and that only pictures need what it names."""

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mjx_arena import opengl
from mjx_arena.validation import SettingError

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_PICTURES = """
import {first}
import mujoco, mujoco.batch, mujoco.mjx
from mjx_arena.render import RenderError, render
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
mujoco.mj_step(model, mujoco.MjData(model))
for attempt in range(2):
    try:
        next(render(model, [model.qpos0], 32, 32))
    except RenderError as error:
        print(error)
"""

no_osmesa = pytest.mark.skipif(ctypes.util.find_library("OSMesa") is not None, reason="OSMesa works here")


@pytest.mark.parametrize(
    ("first", "value", "expected"),
    [
        ("league.run.video", "foo", "MUJOCO_GL=foo: no pictures with that; set it to egl, osmesa or glfw, or unset"),
        pytest.param("mjx_arena", "osmesa", "MUJOCO_GL=osmesa: cannot be loaded (", marks=no_osmesa),
        ("mjx_arena", "glfw", "no renderer works here (MUJOCO_GL=glfw: there is no display); install EGL"),
    ],
)
def test_all_but_pictures_works_where_mujoco_gl_does_not(first, value, expected):
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    environment = {name: text for name, text in os.environ.items() if name not in displays} | {"MUJOCO_GL": value}
    command = [sys.executable, "-c", WITHOUT_PICTURES.format(first=first)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if "warp" not in line]  # MJX says that it goes without
    assert len(said) == 2 and all(line.startswith(expected) for line in said)


@pytest.mark.parametrize("value", ["foo", "off", "disabled", "0"])
def test_a_value_that_draws_nothing_is_refused_with_what_would_do(monkeypatch, value):
    monkeypatch.setenv("MUJOCO_GL", value)
    with pytest.raises(SettingError, match=f"MUJOCO_GL={value}: .* egl, osmesa or glfw, or unset it"):
        opengl.platforms()


def test_a_platform_that_is_not_there_is_refused_with_its_packages(monkeypatch):
    monkeypatch.setattr(opengl, "load", lambda platform: None.glGetError)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    with pytest.raises(SettingError, match="MUJOCO_GL=osmesa: cannot be loaded .*Debian: libosmesa6.*or unset it"):
        opengl.platforms()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ("egl", "glfw")), ("", ("egl", "glfw")), ("on", ("egl", "glfw")), (" GLX", ("glfw",))],
)
def test_values_mean_what_they_mean_to_mujoco(monkeypatch, value, expected):
    monkeypatch.setattr(opengl, "load", lambda platform: None)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    if value is not None:
        monkeypatch.setenv("MUJOCO_GL", value)
    assert opengl.platforms() == expected
