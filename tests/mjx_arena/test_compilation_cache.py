"""Where compiled programs are kept: in the user's cache folder, unless the user says otherwise or it cannot be."""

from pathlib import Path

import jax
import pytest

from mjx_arena import compilation_cache


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's cache folder; what JAX is told lies under `chosen`, and never reaches it."""
    monkeypatch.setattr(compilation_cache.platformdirs, "user_cache_path", lambda name, **_: tmp_path / name)
    return tmp_path


@pytest.fixture
def chosen(monkeypatch):
    values = {}
    monkeypatch.setattr(jax.config, "update", values.__setitem__)
    return values


def test_programs_are_kept_by_version_and_machine_in_the_users_cache_folder(home, chosen):
    folder = compilation_cache.enable()
    assert chosen == {"jax_compilation_cache_dir": str(folder)}
    assert folder.is_dir() and folder.parent == home / "mjx-arena"
    assert jax.__version__ in folder.name and compilation_cache._machine() in folder.name


def test_another_processor_has_a_folder_of_its_own(monkeypatch):
    names = set()
    for flags in ("flags : sse avx", "flags : sse avx avx512f"):
        monkeypatch.setattr(Path, "read_text", lambda *_, text=flags, **__: text)
        names.add(compilation_cache._machine())
    assert len(names) == 2


def test_a_machine_without_cpuinfo_has_a_name_too(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert compilation_cache._machine()


def test_a_folder_that_the_user_chose_stays(home, tmp_path):
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "mine"))
    try:
        assert compilation_cache.enable() == tmp_path / "mine"
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "mine")
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_no_place_for_a_folder_is_no_error(home, chosen):
    (home / "mjx-arena").write_text("a file where the folder would go")
    assert compilation_cache.enable() is None
    assert chosen == {}
