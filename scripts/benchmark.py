"""Measures physics, arena and training steps per second: `python scripts/benchmark.py task=humanoid_duel`."""

import dataclasses
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from league.config import compose as config
from league.config.command import run_script, take_own_keys
from league.run.folder import versions
from mjx_arena import devices
from mjx_arena.validation import require

CONF = Path(__file__).resolve().parent.parent / "conf"
PURPOSE = """Measures steps per second of physics, arenas and training, in one run, interleaved. Own keys:
  out: null  # a file for the figures as JSON
  rounds: 7  # of which the medians are taken"""
EXAMPLES = (
    "python scripts/benchmark.py task=humanoid_duel",
    "python scripts/benchmark.py num_arenas=1024 out=benchmark.json",
)


@dataclass(frozen=True)
class BenchmarkSettings:
    out: str | None = None
    rounds: int = 7


def main(overrides: list[str]) -> int:
    own, overrides = take_own_keys(overrides, BenchmarkSettings)
    require(own.rounds >= 1, "rounds", own.rounds, "must be at least 1")
    settings = config.compose(overrides, CONF)
    devices.configure(settings.devices, getattr(settings.task, "num_dofs", None))
    settings = dataclasses.replace(settings, devices=config.choose_devices(settings, len(jax.devices())))

    from league.run import benchmark  # brings in the physics engines: only once the settings are known to work

    console = Console(stderr=True)
    with console.status("building") as status:
        report = benchmark.run(settings, own.rounds, status.update)
    machine = describe_machine()
    Console().print(as_table(settings, report.as_dict(), machine))
    if own.out:
        figures = report.as_dict() | {"machine": machine, "settings": config.to_mapping(settings)}
        Path(own.out).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def as_table(settings: config.RunSettings, figures: dict[str, Any], machine: dict[str, Any]) -> Table:
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
    """What the figures depend on."""
    found = jax.devices()
    return {
        "devices": f"{len(found)} x {found[0].device_kind} ({found[0].platform})",
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
    } | versions()


if __name__ == "__main__":
    run_script(main, PURPOSE, CONF, EXAMPLES)
