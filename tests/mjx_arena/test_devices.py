"""Device choices: block sizes that divide and cannot hang a CPU, meshes, and counts that cannot work."""

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mjx_arena import devices
from mjx_arena.validation import SettingError

counts = st.integers(1, 10_000)


@settings(deadline=None, max_examples=25)
@given(counts, counts)
def test_cpu_blocks_divide_the_arenas_and_never_exceed_the_safe_size(arenas, wanted):
    size = devices.safe_block_size(arenas, wanted)
    assert arenas % size == 0
    assert 1 <= size <= min(wanted, devices.MAX_CPU_BLOCK)


@settings(deadline=None, max_examples=25)
@given(counts, counts)
def test_cpu_blocks_are_the_largest_that_would_do(arenas, wanted):
    limit = min(arenas, wanted, devices.MAX_CPU_BLOCK)
    larger = range(devices.safe_block_size(arenas, wanted) + 1, limit + 1)
    assert not any(arenas % size == 0 for size in larger)


@pytest.mark.parametrize("wanted", [devices.MAX_CPU_BLOCK, 10 * devices.MAX_CPU_BLOCK])
def test_powers_of_two_fill_the_block(wanted):
    assert devices.safe_block_size(4096, wanted) == devices.MAX_CPU_BLOCK


@pytest.mark.parametrize("arenas", [96, 127, 4096])
def test_an_accelerator_steps_every_arena_at_once(monkeypatch, arenas):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert devices.safe_block_size(arenas, 8) == arenas


@pytest.mark.parametrize("count", [0, -1])
def test_configure_refuses_counts_below_one_by_name(count):
    with pytest.raises(SettingError, match=f"devices={count}: must be at least 1"):
        devices.configure(count)


def test_configure_takes_every_available_core_by_default(monkeypatch):
    updates = {}
    monkeypatch.setattr(devices, "available_cores", lambda: 3)
    monkeypatch.setattr(jax.config, "update", updates.__setitem__)
    monkeypatch.setattr(devices.os, "environ", {})
    devices.configure(None)
    assert updates == {"jax_num_cpu_devices": 3}


def test_configure_makes_do_with_the_devices_of_a_jax_that_has_started(monkeypatch):
    monkeypatch.setattr(devices.os, "environ", {"NPROC": "1"})
    there = len(jax.devices())
    for count in (1, there, None):
        devices.configure(count)
    with pytest.raises(SettingError, match=rf"devices={there + 1}: JAX has begun with {there} here; call mjx_arena"):
        devices.configure(there + 1)


@pytest.mark.parametrize(
    ("count", "num_dofs", "environment"),
    [(2, 20, {}), (2, 27, {"NPROC": "6"}), (2, None, {"NPROC": "6"}), (1, 27, {}), (8, 27, {"NPROC": "16"})],
)
def test_several_devices_get_spare_threads_unless_arenas_are_known_to_be_small(
    monkeypatch, count, num_dofs, environment
):
    found = {}
    monkeypatch.setattr(devices, "available_cores", lambda: 3)
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    monkeypatch.setattr(devices.os, "environ", found)
    devices.configure(count, num_dofs)
    assert found == environment
    found["NPROC"] = "5"  # whoever sets it knows better
    devices.configure(count, num_dofs)
    assert found["NPROC"] == "5"


def test_available_cores_is_what_the_process_may_use(monkeypatch):
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda pid: {0, 5}, raising=False)
    assert devices.available_cores() == 2


def test_the_mesh_has_one_axis_over_all_devices_or_the_first_few():
    assert devices.make_mesh().shape == {devices.AXIS: len(jax.devices())}
    assert list(devices.make_mesh(1).devices.flat) == jax.devices()[:1]


def test_the_mesh_refuses_devices_that_are_not_there():
    with pytest.raises(SettingError, match=f"there are {len(jax.devices())} cpu devices"):
        devices.make_mesh(len(jax.devices()) + 1)
