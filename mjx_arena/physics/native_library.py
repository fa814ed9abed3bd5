"""Builds and loads `native_step.cc`, by which a compiled program calls MuJoCo without Python in between.

The library is built when it is first needed, by the machine's own C++ compiler, and kept in the user's cache folder.
"""

import ctypes
import functools
import hashlib
import importlib.metadata
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import platformdirs
from mujoco.batch import Batch

from mjx_arena.devices import available_cores
from mjx_arena.types import PhysicsState

TARGET = "mjx_arena_step"
_SOURCE = Path(__file__).with_name("native_step.cc")
_FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-w")


@functools.cache
def load() -> ctypes.CDLL | str:
    """Returns the library, with its target registered at XLA; or in a few words why there is none.

    `CXX` names the compiler, `c++` if not set; with `CXX=false` there is no library.
    """
    try:
        library = ctypes.CDLL(str(_built()))
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        return f"{error.cmd[0]} failed{': ' + lines[0] if lines else ''}"
    except OSError as error:
        return str(error)
    library.Register.argtypes = (ctypes.c_int64, ctypes.c_void_p, ctypes.c_int)
    jax.ffi.register_ffi_target(TARGET, jax.ffi.pycapsule(library.Step), platform="cpu")
    return library


def shared_library() -> Path:
    """Returns the path of MuJoCo's own library. Raises OSError where its package holds none."""
    package = Path(mujoco.__file__).parent
    for path in (*package.glob("libmujoco.so*"), *package.glob("libmujoco*.dylib"), *package.glob("mujoco.dll")):
        return path
    raise OSError(f"there is no library of MuJoCo in {package}")


def number_of(model: mujoco.MjModel) -> int:
    """Returns a number of 63 bits for `model`, the same for equal models."""
    content = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, content)
    return int.from_bytes(hashlib.sha256(content.tobytes()).digest()[:8], "little") >> 1


def _built() -> Path:
    """Returns the path of the library, built unless it is there. Raises CalledProcessError or OSError."""
    compiler = shlex.split(os.environ.get("CXX") or "c++")
    versions = [importlib.metadata.version(name) for name in ("jaxlib", "mujoco")]
    key = hashlib.sha256("\0".join([_SOURCE.read_text(), *compiler, *_FLAGS, *versions]).encode()).hexdigest()[:16]
    path = platformdirs.user_cache_path("mjx-arena", appauthor=False) / f"native-{key}.so"
    if path.exists():
        return path
    if not shutil.which(compiler[0]):
        raise OSError(f"there is no C++ compiler {compiler[0]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    shared = shared_library()
    includes = [f"-I{folder}" for folder in (jax.ffi.include_dir(), shared.parent / "include")]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:  # several processes may build at once
        built = Path(folder) / path.name
        command = [*compiler, *_FLAGS, *includes, str(_SOURCE), str(shared), "-o", str(built)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        built.replace(path)
    return path


class LibraryStep:
    """Steps of `model` by the library."""

    def __init__(self, model: mujoco.MjModel, library: ctypes.CDLL):
        self._model, self._library, self._number = model, library, number_of(model)

    def __call__(
        self,
        n_substeps: int,
        state: PhysicsState,
        ctrl: jax.Array,
        applied: jax.Array,
        fields: dict[str, jax.Array],
    ) -> PhysicsState:
        """Returns the state after `n_substeps` engine steps, with its sensors; NaN where it has diverged."""
        threads = max(available_cores() // jax.local_device_count(), 1)
        self._library.Register(self._number, self._model._address, threads)
        arguments = (state.qpos, state.qvel, state.act, state.warmstart, ctrl, applied)
        results = [state.qpos, state.qvel, state.act, state.warmstart, np.empty(self._model.nsensordata)]
        one = Batch(self._model, 1, 1) if fields else None
        names = "".join(f"{one.expand(name).dtype.char}{name}," for name in fields if one)
        step = jax.ffi.ffi_call(
            TARGET, [jax.ShapeDtypeStruct(x.shape, jnp.float32) for x in results], vmap_method="broadcast_all"
        )
        values = [jnp.asarray(value, jnp.float32) for value in (*arguments, *map(jnp.ravel, fields.values()))]
        qpos, qvel, act, warmstart, sensordata = step(
            *values, model=np.int64(self._number), substeps=np.int64(n_substeps), fields=names
        )
        return PhysicsState(qpos, qvel, act, warmstart, sensordata)
