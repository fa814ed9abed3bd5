"""Which place of a run a process finds for itself; `tests/scripts/test_processes.py` joins them."""

import socket

import jax
import pytest

from league.run import team
from league.run.team import Place, place_of
from league.settings import DistributedSettings
from mjx_arena.validation import SettingError

SLURM = {"SLURM_JOB_ID": "7", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4"}


def test_a_process_is_alone_unless_told_otherwise():
    assert place_of(DistributedSettings(), {}) == Place(0, 1, None)
    shell_of_a_job = {"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}
    assert place_of(DistributedSettings(), shell_of_a_job).count == 1


@pytest.mark.parametrize(
    ("settings", "environment", "place"),
    [
        (DistributedSettings("host:1", 3, 2), {}, Place(2, 3, "host:1")),
        (DistributedSettings(), SLURM, Place(1, 4, None)),
        (DistributedSettings("host:1"), SLURM, Place(1, 4, "host:1")),
        (DistributedSettings("host:1", process_id=3), SLURM, Place(3, 4, "host:1")),
        (DistributedSettings("host:1"), {"PMI_RANK": "0", "PMI_SIZE": "2"}, Place(0, 2, "host:1")),
        (
            DistributedSettings(),
            {"OMPI_MCA_orte_hnp_uri": "1.0;tcp://h:1", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"},
            Place(1, 2, None),
        ),
    ],
)
def test_the_settings_come_first_then_the_launcher(settings, environment, place):
    assert place_of(settings, environment) == place


@pytest.mark.parametrize(
    ("settings", "environment", "message"),
    [
        (DistributedSettings("host:1"), {}, "distributed.process_id=None: is needed beside"),
        (DistributedSettings("host:1", process_id=0), {}, "distributed.num_processes=None: is needed beside"),
        (DistributedSettings("host:1", 2, 2), {}, "distributed.process_id=2: must lie between 0 and 1"),
        (DistributedSettings(), {"PMI_RANK": "0", "PMI_SIZE": "2"}, "distributed.coordinator=None: this launcher"),
    ],
)
def test_what_is_missing_is_named(settings, environment, message):
    with pytest.raises(SettingError, match=message):
        place_of(settings, environment)


def test_a_host_whose_name_others_cannot_use_is_told_so(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "127.0.1.1")
    team._check_own_name("127.0.0.1:7000")  # all on this machine
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: None)
    monkeypatch.setattr(socket.socket, "getsockname", lambda self: ("10.0.0.7", 1))
    with pytest.raises(SettingError, match=r"whose name laptop stands for 127\.0\.1\.1; let it stand for 10\.0\.0\.7"):
        team._check_own_name("10.0.0.1:7000")


def test_a_process_that_has_used_jax_cannot_join():
    jax.devices()
    with pytest.raises(SettingError, match="processes=2: needs a Python process that has not used JAX yet"):
        team.join(Place(0, 2, "127.0.0.1:1", gpu=0))


def test_alone_everything_is_agreed_and_told():
    assert team.is_first() and team.agreed(15) == 15 and team.told(lambda: {"a": 1}) == {"a": 1}
