"""Plays a run's policy in fresh matches: `python scripts/evaluate.py run=<run folder>`."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import jax
from rich.console import Console
from rich.table import Table

from league import config
from league.command import refuse_other_keys, run_script, take_own_keys
from mjx_arena import compilation_cache, devices
from mjx_arena.settings import SettingError, require
from ppo import run_folder
from ppo.checkpoints import Checkpoints

CONF = Path(__file__).resolve().parent.parent / "conf"
PURPOSE = """Plays a run's policy in fresh matches against itself, its past and the untrained policy. Own keys:
  run: ???  # a run's folder
  checkpoint: null  # iteration of the policy; null: the newest
  matches: 1000  # of each pairing
  seed: 1000  # of the matches
  sampled: true  # actions sampled as in training; false: the most likely ones
  pairings: null  # those to play, [a,b]; null: all of conf/evaluation/<task>.yaml
  out: null  # a file for the scores as JSON"""
EXAMPLES = ("python scripts/evaluate.py run=runs/humanoid_duel/2026-01-31_12-00-00 matches=400 pairings=[mirror]",)


@dataclass(frozen=True)
class EvaluationSettings:
    run: str
    checkpoint: int | None = None
    matches: int = 1000
    seed: int = 1000
    sampled: bool = True
    pairings: tuple[str, ...] | None = None
    out: str | None = None


def main(overrides: list[str]) -> int:
    own, rest = take_own_keys(overrides, EvaluationSettings)
    refuse_other_keys(rest)
    require(own.matches >= 1, "matches", own.matches, "must be at least 1")
    folder = Path(own.run)
    if not run_folder.finished_steps(folder):
        raise SettingError("run", own.run, "is no run's folder with a finished checkpoint")
    settings = config.from_mapping(run_folder.read_config(folder))
    pairings = config.load_pairings(CONF, settings.task_name, own.pairings)
    devices.configure(settings.devices)
    if settings.compilation_cache:
        compilation_cache.enable()

    from league.evaluation import Evaluation  # brings in the physics engines: only once the settings are known to work

    console = Console()
    with Checkpoints(folder / run_folder.CHECKPOINTS, read_only=True) as checkpoints:
        evaluation = Evaluation(settings, checkpoints, own.checkpoint, own.matches, own.sampled)
        table = Table(title=f"{folder}, iteration {evaluation.iteration}, {own.matches} matches a pairing")
        for column in ("pairing", "wins", "draws", "losses", "wins of decided", "survival", "length"):
            table.add_column(column, justify="left" if column == "pairing" else "right")
        scores = {}
        with Console(stderr=True).status("") as status:
            for index, (name, pairing) in enumerate(pairings.items()):
                status.update(f"playing {name}")
                key = jax.random.fold_in(jax.random.key(own.seed), index)
                score = evaluation.play(pairing, key)
                scores[name] = score._asdict()
                shares = (score.wins, score.draws, score.losses, score.wins_of_decided, score.survival)
                table.add_row(name, *(f"{share:.1%}" for share in shares), f"{score.mean_length:.0f}")
        console.print(table)
    if own.out:
        result = {"run": str(folder), "iteration": evaluation.iteration} | dataclasses.asdict(own) | {"scores": scores}
        Path(own.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_script(main, PURPOSE, CONF, EXAMPLES)
