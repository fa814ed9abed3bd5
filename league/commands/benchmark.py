"""The command benchmark: measures steps per second of physics, arenas and training."""

import dataclasses
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from league.config.compose import checked, to_mapping
from league.run.folder import versions
from league.run.measure import Report, measure
from league.settings import RunSettings
from league.split import choose_devices
from mjx_arena import devices
from mjx_arena.validation import require

PURPOSE = "Measures steps per second of physics, arenas and training, in one run, interleaved."
EXAMPLES = (
    "python scripts/benchmark.py task=humanoid_duel",
    "python scripts/benchmark.py num_arenas=1024 out=benchmark.json",
)


@dataclass(frozen=True)
class BenchmarkSettings(RunSettings):
    """Settings of a run, and of how it is measured."""

    out: str | None = None  # JSON file to write the figures to; null: only print them
    rounds: int = 7  # times that each part is measured; figures are medians

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong."""
        super().validate()
        require(self.rounds >= 1, "rounds", self.rounds, "must be at least 1")


SETTINGS = BenchmarkSettings


def benchmark(settings: BenchmarkSettings) -> Report:
    """Measures a run by `settings`, prints a table and returns the figures. Raises SettingError."""
    settings = checked(settings)
    remedy = "a benchmark is of one process; benchmarks/versions.py times whole runs"
    require(settings.num_processes == 1, "processes", settings.num_processes, remedy)
    devices.configure(settings.devices, settings.dofs_in_xla)
    settings = dataclasses.replace(settings, devices=choose_devices(settings, len(jax.devices())))
    console = Console(stderr=True)
    with console.status("building") as status:
        report = measure(settings, settings.rounds, status.update)
    machine = describe_machine()
    Console().print(_table(settings, report.as_dict(), machine))
    if settings.out:
        figures = report.as_dict() | {"machine": machine, "settings": to_mapping(settings)}
        Path(settings.out).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return report


def run(settings: BenchmarkSettings, written: Mapping[str, Any]) -> float:
    """Measures for the command line; returns arena steps per second of training."""
    del written
    return benchmark(settings).train_arena_steps_per_second


def _table(settings: RunSettings, figures: dict[str, Any], machine: dict[str, Any]) -> Table:
    caption = f"{machine['devices']}, {machine['cores']} cores; jax {machine['jax']}, mujoco {machine['mujoco']}"
    table = Table(
        title=f"{settings.task_name}, {settings.num_arenas} arenas, {settings.physics.engine}", caption=caption
    )
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        if name == "arena_overhead":
            text = f"{value:+.1%}"
        elif name.endswith("per_second"):
            text = f"{value:,.0f}"
        elif name.endswith("bytes"):
            text = f"{value / 2**30:.2f} GiB"
        else:
            text = f"{value:.4g} s"
        table.add_row(name.removesuffix("_bytes").removesuffix("_seconds").replace("_", " "), text)
    return table


def describe_machine() -> dict[str, Any]:
    """Returns what the figures depend on: devices, processor, system and versions."""
    available = jax.devices()
    return {
        "devices": f"{len(available)} x {available[0].device_kind} ({available[0].platform})",
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
    } | versions()
