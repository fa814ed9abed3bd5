"""The command evaluate: a tournament of policies, one policy in pairings, or a best response against it."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh
from rich.console import Console
from rich.status import Status

from league.evaluation import sources
from league.evaluation.evaluation import Evaluation
from league.evaluation.evaluator import Evaluator
from league.evaluation.exploit import best_response
from league.evaluation.pairings import load_ladder, load_pairings
from league.evaluation.sources import Source
from league.evaluation.tables import ladder_table, names_of, pairings_table
from league.run import folder as run_folder
from league.settings import RunSettings
from mjx_arena import compilation_cache, devices, registry
from mjx_arena.physics import PhysicsSettings
from mjx_arena.validation import replace_nested, require

PURPOSE = """Plays policies against each other: a tournament of a run's past, or of several runs and exported policies.
With pairings, a run's newest policy in those instead; with exploit, against a best response trained for it."""
EXAMPLES = (
    "python scripts/evaluate.py run=runs/ant_sumo/2026-01-31_12-00-00",
    "python scripts/evaluate.py 'runs=[runs/a,runs/b]' members=8 matches=200 physics=native out=ladder",
    "python scripts/evaluate.py run=runs/a 'pairings=[mirror]' matches=1000",
    "python scripts/evaluate.py run=runs/a exploit=true",
)
_DRAWN = 20  # episodes shown in a chart


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation: which policies play, and how."""

    run: str | None = None  # folder of a run, or a file that export.py wrote
    runs: tuple[str, ...] | None = None  # several runs or files for one tournament, [a,b]; also folders of files
    members: int = 16  # policies of each run in a tournament, spread over its training
    matches: int = 400  # matches of each pair in a tournament, over all seats; or of each pairing
    # pairings of conf/evaluation/<task>.yaml to play, [a,b] or [all], in place of a tournament
    pairings: tuple[str, ...] | None = None
    exploit: bool = False  # train a best response against the newest policy: a lower bound on its exploitability
    budget: int = 300  # iterations that exploit trains for
    checkpoint: int | None = None  # iteration that counts as the run's newest; null: its last checkpoint
    physics: str | None = None  # name of the engine to play on; null: the run's own
    seed: int = 1000  # random seed of the matches, and of exploit's training
    sampled: bool = True  # sample actions as in training; false: play the most likely ones
    out: str | None = None  # folder for the results; null: evaluation/ in the run's folder, or in the current folder
    game_file: str | None = None  # the Python file of your own game, for exported policies that play it

    def validate(self) -> None:
        """Raises SettingError for the first value that is wrong."""
        require((self.run is None) != (self.runs is None), "run", self.run, "give run, or runs, and not both")
        for key, least in (("members", 2), ("matches", 1), ("budget", 1)):
            require(getattr(self, key) >= least, key, getattr(self, key), f"must be at least {least}")
        for key in ("pairings", "checkpoint"):
            alone = self.run is not None or getattr(self, key) is None
            require(alone, key, getattr(self, key), "goes with run, not with runs")
        require(self.run is not None or not self.exploit, "exploit", self.exploit, "goes with run, not with runs")
        require(self.runs != (), "runs", self.runs, "name at least one")
        require(not (self.exploit and self.pairings), "exploit", self.exploit, "leave out pairings, or this")


SETTINGS = EvaluationSettings


def evaluate(settings: EvaluationSettings) -> dict[str, Any]:
    """Plays what `settings` ask for, prints tables and writes files; returns what the JSON file holds.

    Raises SettingError, CheckpointError or PolicyFileError for settings or policies that cannot be used.
    """
    settings.validate()
    one_device = settings.physics is not None and PhysicsSettings(engine=settings.physics).one_device
    devices.configure(1 if one_device else None)
    if settings.run is not None:
        opened = [sources.open_source(settings.run, settings.checkpoint, settings.physics)]
    else:
        opened = sources.open_all(settings.runs or (), settings.physics)
    if opened[0].settings.compilation_cache:
        compilation_cache.enable()
    alone, task = opened[0].arena.num_agents == 1, opened[0].settings.task_name
    for key in ("runs", "exploit"):
        value = getattr(settings, key)
        require(not (alone and value), key, value, f"{task} has no opponents; evaluate one run at a time, in pairings")
    out = _folder(settings)
    mesh = devices.make_mesh(1) if opened[0].settings.physics.one_device else devices.make_mesh()
    if settings.pairings is not None or alone:
        return _pairings(settings, opened[0], mesh, out)
    if settings.exploit:
        return _exploit(settings, opened[0], out)
    return _tournament(settings, opened, mesh, out)


def run(settings: EvaluationSettings, written: Mapping[str, Any]) -> None:
    """Evaluates for the command line."""
    del written
    evaluate(settings)


def _tournament(own: EvaluationSettings, opened: Sequence[Source], mesh: Mesh, out: Path) -> dict[str, Any]:
    from league.evaluation import tournament
    from league.evaluation.pictures import draw_ladder, draw_payoff

    contestants = [contestant for source in opened for contestant in source.sample_checkpoints(own.members)]
    require(
        len(contestants) >= 2, "members", len(contestants), "a tournament needs two policies; this is all there are"
    )
    names, lines = names_of(contestants)
    console, settings = Console(), opened[0].settings
    arena = registry.build(_ladder_task(settings), settings.physics)
    policies = [contestants[group[0]].policy for group in tournament.grouped(contestants)[0]]
    evaluator = Evaluator(arena, policies, mesh, settings.physics.wanted_block, own.sampled)
    with _waiting(f"playing {len(contestants)} policies against each other"):
        lineups, records = tournament.play(evaluator, contestants, own.matches, own.seed)
    with _waiting("rating them"):
        result = tournament.judge(lineups, records, len(contestants), own.seed, arena)
    console.print(ladder_table(result, names, settings.task_name))
    console.print(
        f"{result.matches} matches, {result.void} of them void · {result.cyclic_share:.1%} of the table is cyclic, "
        "which ratings cannot explain",
        highlight=False,
        soft_wrap=True,
    )
    report = {"task": settings.task_name, "versions": run_folder.versions()}
    report |= {"settings": asdict(own)} | result.as_dict(contestants, names)
    _write(out / "ladder.json", report)
    draw_ladder(out / "ladder.png", result, contestants, lines)
    draw_payoff(out / "payoff.png", result, names)
    console.print(f"wrote ladder.json, ladder.png and payoff.png to {out}", highlight=False, soft_wrap=True)
    return report


def _waiting(text: str) -> Status:
    """Returns a line that says what is being waited for, on terminals only: in a notebook it would be a warning."""
    return Console(stderr=True, force_jupyter=False).status(text)


def _ladder_task(settings: RunSettings) -> Any:
    """Returns the task's settings without what is only for training, such as drills."""
    return replace_nested(settings.task, load_ladder(settings.task_name), "task")


def _pairings(own: EvaluationSettings, source: Source, mesh: Mesh, out: Path) -> dict[str, Any]:
    wanted = None if own.pairings in (None, ("all",)) else own.pairings
    pairings = load_pairings(source.settings.task_name, source.arena.num_agents, wanted)
    console, evaluation, scores = Console(), Evaluation(source, mesh, own.matches, own.sampled), {}
    with _waiting("") as status:
        for index, (name, pairing) in enumerate(pairings.items()):
            status.update(f"playing {name}")
            scores[name] = evaluation.play(pairing, jax.random.fold_in(jax.random.key(own.seed), index))
    iteration = evaluation.subject.iteration
    title = f"{own.run}, iteration {iteration}, {own.matches} matches a pairing"
    console.print(pairings_table(title, scores, source.arena.num_agents == 1))
    for name, score in scores.items():
        if score.report:
            figures = " · ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in score.report.items())
            console.print(f"{name}: {figures}", highlight=False, soft_wrap=True)
    each = {name: score._asdict() for name, score in scores.items()}
    report = {"iteration": iteration, "settings": asdict(own), "scores": each}
    _write(out / "scores.json", report)
    first = next(iter(pairings))
    if "last/distance" in scores[first].metrics:
        from league.evaluation.pictures import draw_distance

        key = jax.random.fold_in(jax.random.key(own.seed), len(pairings))  # smaller numbers belong to the pairings
        films = evaluation.film(pairings[first], key, min(own.matches, _DRAWN))
        draw_distance(out / "distance.png", films)
    return report


def _exploit(own: EvaluationSettings, source: Source, out: Path) -> dict[str, Any]:
    with _waiting(f"training a best response for {own.budget} iterations"):
        settings = dataclasses.replace(source.settings, task=_ladder_task(source.settings))
        response = best_response(source.newest().state, settings, own.budget, own.matches, own.seed, own.sampled)
    low, high = response.interval
    Console().print(
        f"a best response of {own.budget} iterations wins {response.score.wins:.1%}, draws {response.score.draws:.1%}: "
        f"exploitability of {own.run} at least {response.exploitability:.3f} ({low:.3f} to {high:.3f})",
        highlight=False,
        soft_wrap=True,
    )
    report = {"settings": asdict(own), "versions": run_folder.versions()} | response.as_dict()
    _write(out / "exploit.json", report)
    return report


def _folder(own: EvaluationSettings) -> Path:
    """Returns the folder for results; makes it before anything is played. Raises SettingError."""
    in_run = own.run is not None and Path(own.run).is_dir()
    folder = Path(own.out) if own.out else (Path(own.run or ".") if in_run else Path(".")) / "evaluation"
    return run_folder.made_writable(folder, "out")


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, default=lambda value: value.item()) + "\n", encoding="utf-8")
