"""The OpenGL platform of pictures, and an import of MuJoCo that works without one.

MuJoCo loads the platform that the environment variable MUJOCO_GL names when it is imported, and fails if it cannot;
but only pictures need one. The package therefore imports this module before everything else.
"""

import importlib
import os
import sys
from typing import Any

from mjx_arena.validation import SettingError

EGL_PACKAGES, OSMESA_PACKAGES = "libegl1 libegl-mesa0 libgl1-mesa-dri", "libosmesa6"  # in Debian

_VARIABLE = "MUJOCO_GL"
# Values that MuJoCo accepts. A process can load OSMesa or EGL but not both, so OSMesa is tried only when named.
_ANY = ("", "1", "on", "true", "enable", "enabled")
_TRIED = ("egl", "glfw")
_NAMED = {"egl": "egl", "osmesa": "osmesa", "glfw": "glfw", "glx": "glfw", "wgl": "glfw", "cgl": "cgl"}


def platforms() -> tuple[str, ...]:
    """Returns the platforms to try, in order: only the one that MUJOCO_GL names, or EGL and GLFW if it names none.

    Raises SettingError if its value is unknown, disables rendering, or names a platform that cannot be loaded.
    """
    value = os.environ.get(_VARIABLE, "")
    name = value.lower().strip()
    if name in _ANY:
        return _TRIED
    if name not in _NAMED:
        raise SettingError(_VARIABLE, value, "no pictures with that; set it to egl, osmesa or glfw, or unset it")
    try:
        load(_NAMED[name])
    except Exception as error:  # PyOpenGL raises errors of many types for a missing library
        packages = {"egl": f" (Debian: {EGL_PACKAGES})", "osmesa": f" (Debian: {OSMESA_PACKAGES})"}.get(name, "")
        remedy = f"install it{packages}, set another of egl, osmesa and glfw, or unset it"
        raise SettingError(_VARIABLE, value, f"cannot be loaded ({first_line(error)}); {remedy}") from error
    return (_NAMED[name],)


def load(platform: str) -> Any:
    """Returns MuJoCo's class `GLContext` of a platform. Raises what its libraries raise, which can be of any type."""
    return importlib.import_module(f"mujoco.{platform}").GLContext


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message, or else the name of its type."""
    return str(error).partition("\n")[0] or type(error).__name__


def _import_mujoco() -> None:
    """Imports MuJoCo, without OpenGL if the platform that MUJOCO_GL names cannot be loaded."""
    chosen = os.environ.get(_VARIABLE)
    try:
        importlib.import_module("mujoco")
    except Exception:
        if chosen is None:
            raise
    else:
        return
    os.environ[_VARIABLE] = "disabled"
    try:
        mujoco = importlib.import_module("mujoco")  # an error that has another cause is raised again
    finally:
        os.environ[_VARIABLE] = chosen
    # Modules become attributes of their package when they are loaded, and the first attempt has loaded these.
    for name, module in list(sys.modules.items()):
        package, _, own_name = name.rpartition(".")
        if package == "mujoco":
            setattr(mujoco, own_name, module)


_import_mujoco()
