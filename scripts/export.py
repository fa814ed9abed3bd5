"""Writes a run's policy to one small file: `python scripts/export.py run=<run folder> out=policy.npz`."""

from dataclasses import dataclass
from pathlib import Path

from league.config.command import refuse_other_keys, run_script, take_own_keys
from league.evaluation.policy_file import SUFFIX
from mjx_arena import devices
from mjx_arena.validation import require

CONF = Path(__file__).resolve().parent.parent / "conf"
PURPOSE = """Writes a run's policy to one small file, which evaluate, record and league.op_checkpoint take. Own keys:
  run: ???  # a run's folder
  out: policy.npz
  checkpoint: null  # iteration of the policy; null: the newest"""
EXAMPLES = ("python scripts/export.py run=runs/ant_sumo/2026-01-31_12-00-00 out=champion.npz",)


@dataclass(frozen=True)
class ExportSettings:
    run: str
    out: str = "policy.npz"
    checkpoint: int | None = None


def main(overrides: list[str]) -> int:
    own, rest = take_own_keys(overrides, ExportSettings)
    refuse_other_keys(rest)
    require(Path(own.out).suffix == SUFFIX, "out", own.out, f"must end in {SUFFIX}")
    devices.configure(1)

    from league.evaluation.sources import RunSource, export  # brings in the physics engines

    source = RunSource(own.run, own.checkpoint)
    entrant = source.newest()
    export(entrant, source.settings, source.arena, own.out)
    print(f"wrote {own.out}: {source.settings.task_name}, iteration {entrant.iteration}")
    return 0


if __name__ == "__main__":
    run_script(main, PURPOSE, CONF, EXAMPLES)
