"""The cache of compiled programs, which are kept from run to run in the user's cache folder."""

import hashlib
import platform
from pathlib import Path

import jax
import platformdirs


def enable() -> Path | None:
    """Lets JAX keep the programs that it compiles. Returns the folder, or None if it cannot be created.

    A folder that the user chose, as with `JAX_COMPILATION_CACHE_DIR`, stays. Must be called before the first program.
    """
    if jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        return Path(jax.config.jax_compilation_cache_dir)  # type: ignore[attr-defined]
    folder = platformdirs.user_cache_path("mjx-arena", appauthor=False) / f"jax-{jax.__version__}-{_machine()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    return folder


def _machine() -> str:
    """Returns a name for this kind of processor: programs of another kind, say from a shared home folder, can crash."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        features = next(line for line in lines if line.lower().startswith(("flags", "features")))
    except (OSError, StopIteration):
        features = platform.processor()
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
