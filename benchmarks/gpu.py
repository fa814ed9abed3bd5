"""Speed of the duel on a GPU, by engine and number of arenas: `python benchmarks/gpu.py [--markdown FILE]`.

Every row comes from `scripts/benchmark.py` in its own process; if that fails, say out of memory, the row says so. On a
CPU, `--engines mjx --arenas 64` shows that the script works, and nothing else.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mjx_arena.physics import engines

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "benchmark.py"
ENGINES = [name for name, engine in engines().items() if engine.device != "cpu"]
ARENAS = (1024, 2048, 4096, 8192, 16384, 32768)
COLUMNS = {
    "physics steps/s": lambda f: f"{f['physics_steps_per_second']:,.0f}",
    "arena steps/s": lambda f: f"{f['arena_steps_per_second']:,.0f}",
    "training, arena steps/s": lambda f: f"{f['train_arena_steps_per_second']:,.0f}",
    "rollout, s": lambda f: f"{f['rollout_seconds']:.3f}",
    "update, s": lambda f: f"{f['update_seconds']:.3f}",
    "compiling, s": lambda f: f"{f['compile_seconds']:.0f}",
    "memory, GiB": lambda f: f"{f['peak_memory_bytes'] / 2**30:.2f}",
}


def measure(engine: str, arenas: int, rounds: int, overrides: list[str]) -> dict[str, Any]:
    """Runs one row; returns the figures of `league.benchmark.Report` with the machine, or `{"problem": last line}`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        keys = (f"physics={engine}", f"num_arenas={arenas}", f"rounds={rounds}", f"out={out}", *overrides)
        done = subprocess.run([sys.executable, str(SCRIPT), *keys], capture_output=True, text=True)
        if done.returncode == 0:
            return json.loads(out.read_text(encoding="utf-8"))
        said = done.stderr.strip().splitlines()
        return {"problem": said[-1] if said else f"exit status {done.returncode}"}


def as_rows(found: dict[tuple[str, int], dict[str, Any]]) -> list[list[str]]:
    """Returns the cells of the table, its head first."""
    rows = [["engine", "arenas", *COLUMNS]]
    for (engine, arenas), figures in found.items():
        if "problem" in figures:
            cells = [figures["problem"]] + ["–"] * (len(COLUMNS) - 1)
        else:
            cells = [cell(figures) for cell in COLUMNS.values()]
        rows.append([engine, f"{arenas:,}", *cells])
    return rows


def as_markdown(rows: list[list[str]], machine: dict[str, Any], command: str) -> str:
    """Returns a page of Markdown with the table, the machine and the command."""
    packages = ", ".join(f"{name} {machine[name]}" for name in ("jax", "mujoco", "mujoco-mjx"))
    lines = [f"# The duel on {machine['devices']}", "", f"`{command}`; {machine['system']}; {packages}.", ""]
    for index, row in enumerate(rows):
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |")
        if index == 0:
            lines.append("|---|" + "---:|" * (len(row) - 1))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    parser.add_argument("--arenas", nargs="+", type=int, default=list(ARENAS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", type=Path, help="a file for the table, such as results/gpu.md")
    parser.add_argument("overrides", nargs="*", help="keys of scripts/benchmark.py")
    wanted = parser.parse_intermixed_args()

    found = {}
    with Console(stderr=True).status("") as status:
        for engine in wanted.engines:
            for arenas in wanted.arenas:
                status.update(f"{engine}, {arenas} arenas")
                found[engine, arenas] = measure(engine, arenas, wanted.rounds, wanted.overrides)
    rows = as_rows(found)
    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    Console().print(table)
    machines = [figures["machine"] for figures in found.values() if "machine" in figures]
    if not machines:
        raise SystemExit("nothing could be measured")
    if wanted.markdown:
        command = " ".join(["python", "benchmarks/gpu.py", *sys.argv[1:]])
        wanted.markdown.write_text(as_markdown(rows, machines[0], command), encoding="utf-8")


if __name__ == "__main__":
    main()
