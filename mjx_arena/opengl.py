"""The OpenGL platform that the environment variable MUJOCO_GL names, and an import of MuJoCo that does not need it.

MuJoCo loads that platform while it is imported itself, and fails where there is none; but only pictures need one. The
package therefore imports this module before everything else.
"""

import importlib
import os
import sys
from typing import Any

from mjx_arena.validation import SettingError

EGL_PACKAGES, OSMESA_PACKAGES = "libegl1 libegl-mesa0 libgl1-mesa-dri", "libosmesa6"  # of Debian

_VARIABLE = "MUJOCO_GL"
# What MuJoCo accepts. A process can load OSMesa or EGL, and not both, so OSMesa has to be asked for.
_ANY = ("", "1", "on", "true", "enable", "enabled")
_TRIED = ("egl", "glfw")
_NAMED = {"egl": "egl", "osmesa": "osmesa", "glfw": "glfw", "glx": "glfw", "wgl": "glfw", "cgl": "cgl"}


def platforms() -> tuple[str, ...]:
    """Returns the platforms to try, in this order: the one that MUJOCO_GL names, or all that are looked for without it.

    Raises SettingError where MUJOCO_GL names none, or one that cannot be loaded.
    """
    value = os.environ.get(_VARIABLE, "")
    name = value.lower().strip()
    if name in _ANY:
        return _TRIED
    if name not in _NAMED:
        raise SettingError(_VARIABLE, value, "no pictures with that; set it to egl, osmesa or glfw, or unset it")
    try:
        load(_NAMED[name])
    except Exception as error:  # of a library that is missing, by whatever PyOpenGL stumbles over
        packages = {"egl": f" (Debian: {EGL_PACKAGES})", "osmesa": f" (Debian: {OSMESA_PACKAGES})"}.get(name, "")
        remedy = f"install it{packages}, set another of egl, osmesa and glfw, or unset it"
        raise SettingError(_VARIABLE, value, f"cannot be loaded ({first_line(error)}); {remedy}") from error
    return (_NAMED[name],)


def load(platform: str) -> Any:
    """Returns MuJoCo's `GLContext` of a platform. Raises what its libraries raise, of any type."""
    return importlib.import_module(f"mujoco.{platform}").GLContext


def first_line(error: Exception) -> str:
    """Returns what an error says, or else its type."""
    return str(error).partition("\n")[0] or type(error).__name__


def _import_mujoco() -> None:
    """Imports MuJoCo, without OpenGL where it cannot be imported with the platform that MUJOCO_GL names."""
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
        mujoco = importlib.import_module("mujoco")  # what was no fault of the platform is raised again
    finally:
        os.environ[_VARIABLE] = chosen
    # Modules become attributes of their package when they are loaded, and the first attempt has loaded these.
    for name, module in list(sys.modules.items()):
        package, _, own_name = name.rpartition(".")
        if package == "mujoco":
            setattr(mujoco, own_name, module)


_import_mujoco()
