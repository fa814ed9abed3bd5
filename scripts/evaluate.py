"""Plays frozen policies against each other: `python scripts/evaluate.py run=<run folder>`."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
from rich.console import Console
from rich.table import Table

from league.config import compose as config
from league.config.command import refuse_other_keys, run_script, take_own_keys
from league.evaluation.pairings import load_ladder, load_pairings
from league.run import folder as run_folder
from mjx_arena import compilation_cache, devices
from mjx_arena.physics import PhysicsSettings
from mjx_arena.validation import SettingError, changed, require

CONF = Path(__file__).resolve().parent.parent / "conf"
PURPOSE = """Plays policies against each other: a tournament of a run's past, or of several runs and exported policies.
With pairings, a run's newest policy in those instead; with exploit, against a best response trained for it. Own keys:
  run: null  # a run's folder, or a file that export.py wrote
  runs: null  # several, or folders of such files, [a,b], in one tournament
  members: 16  # policies of each run, spread over its training
  matches: 400  # of each pair, in every seat; or of each pairing
  pairings: null  # those of conf/evaluation/<task>.yaml to play, [a,b], or [all], as a task without opponents does
  exploit: false  # train a best response against the run's newest policy, as a lower bound on its exploitability
  budget: 300  # iterations of that training
  checkpoint: null  # iteration of the newest policy; null: the run's newest
  physics: null  # engine to play on; null: the run's own
  seed: 1000  # of the matches
  sampled: true  # actions sampled as in training; false: the most likely ones
  out: null  # folder for the results; null: evaluation in the run's folder, or in the current one"""
EXAMPLES = (
    "python scripts/evaluate.py run=runs/ant_sumo/2026-01-31_12-00-00",
    "python scripts/evaluate.py runs=[runs/a,runs/b] members=8 matches=200 physics=native out=ladder",
    "python scripts/evaluate.py run=runs/a pairings=[mirror] matches=1000",
    "python scripts/evaluate.py run=runs/a exploit=true",
)


@dataclass(frozen=True)
class EvaluationSettings:
    run: str | None = None
    runs: tuple[str, ...] | None = None
    members: int = 16
    matches: int = 400
    pairings: tuple[str, ...] | None = None
    exploit: bool = False
    budget: int = 300
    checkpoint: int | None = None
    physics: str | None = None
    seed: int = 1000
    sampled: bool = True
    out: str | None = None

    def validate(self) -> None:
        require((self.run is None) != (self.runs is None), "run", self.run, "give run, or runs, and not both")
        for key, least in (("members", 2), ("matches", 1), ("budget", 1)):
            require(getattr(self, key) >= least, key, getattr(self, key), f"must be at least {least}")
        for key in ("pairings", "checkpoint"):
            alone = self.run is not None or getattr(self, key) is None
            require(alone, key, getattr(self, key), "goes with run, not with runs")
        require(self.run is not None or not self.exploit, "exploit", self.exploit, "goes with run, not with runs")
        require(self.runs != (), "runs", self.runs, "name at least one")
        require(not (self.exploit and self.pairings), "exploit", self.exploit, "leave out pairings, or this")


def main(overrides: list[str]) -> int:
    own, rest = take_own_keys(overrides, EvaluationSettings)
    refuse_other_keys(rest)
    own.validate()
    on_host = own.physics is not None and PhysicsSettings(engine=own.physics).on_host
    devices.configure(1 if on_host else None)

    from league.evaluation import sources  # brings in the physics engines: only once the settings are known to work

    if own.run is not None:
        found = [sources.open_source(own.run, own.checkpoint, own.physics)]
    else:
        found = sources.open_all(own.runs or (), own.physics)
    if found[0].settings.compilation_cache:
        compilation_cache.enable()
    alone, task = found[0].arena.num_agents == 1, found[0].settings.task_name
    for key in ("runs", "exploit"):
        value = getattr(own, key)
        require(not (alone and value), key, value, f"{task} has no opponents; evaluate one run at a time, in pairings")
    out = _folder(own)
    mesh = devices.make_mesh(1) if found[0].settings.physics.on_host else devices.make_mesh()
    if own.pairings is not None or alone:
        return _pairings(own, found[0], mesh, out)
    if own.exploit:
        return _exploit(own, found[0], out)
    return _tournament(own, found, mesh, out)


def _tournament(own: EvaluationSettings, found: Sequence, mesh, out: Path) -> int:
    from league.evaluation import tournament
    from league.evaluation.evaluator import Evaluator
    from league.evaluation.pictures import draw_ladder, draw_payoff
    from mjx_arena import tasks

    entrants = [entrant for source in found for entrant in source.spread(own.members)]
    require(len(entrants) >= 2, "members", len(entrants), "a tournament needs two policies; this is all there are")
    names, lines = _names(entrants)
    console, settings = Console(), found[0].settings
    arena = tasks.build(_ladder_task(settings), settings.physics)
    policies = [entrants[group[0]].policy for group in tournament.grouped(entrants)[0]]
    evaluator = Evaluator(arena, policies, mesh, settings.physics.wanted_block, own.sampled)
    with Console(stderr=True).status(f"playing {len(entrants)} policies against each other"):
        lineups, records = tournament.play(evaluator, entrants, own.matches, own.seed)
    with Console(stderr=True).status("rating them"):
        result = tournament.judge(lineups, records, len(entrants), own.seed)
    console.print(_table(result, names, settings.task_name))
    console.print(
        f"{result.matches} matches, {result.void} of them void · {result.cyclic_share:.1%} of the table is cyclic, "
        "which ratings cannot explain",
        highlight=False,
        soft_wrap=True,
    )
    report = {"task": settings.task_name, "versions": run_folder.versions()}
    _write(out / "ladder.json", report | {"settings": asdict(own)} | result.as_dict(entrants, names))
    draw_ladder(out / "ladder.png", result, entrants, lines)
    draw_payoff(out / "payoff.png", result, names)
    console.print(f"wrote ladder.json, ladder.png and payoff.png to {out}", highlight=False, soft_wrap=True)
    return 0


def _ladder_task(settings: config.RunSettings):
    """The task without what is only for training, such as drills."""
    return changed(settings.task, load_ladder(CONF, settings.task_name))


def _table(result, names: Sequence[str], title: str) -> Table:
    table = Table(title=title)
    ranked = result.mean_rank is not None
    columns = ("policy", "rating", "95 %", "win rate", *(["rank"] if ranked else []), "Nash", "vs Nash")
    for column in columns:
        table.add_column(column, justify="left" if column == "policy" else "right")
    for place in result.ratings.rating.argsort()[::-1]:
        low, high = result.ratings.low[place], result.ratings.high[place]
        cells = [names[place], f"{result.ratings.rating[place]:.0f}", f"{low:.0f} to {high:.0f}"]
        cells += [f"{result.score[place]:.1%}", *([f"{result.mean_rank[place]:.2f}"] if ranked else [])]
        table.add_row(*cells, f"{result.nash[place]:.2f}", f"{result.against_nash[place]:.1%}")
    return table


def _names(entrants: Sequence) -> tuple[list[str], list[str]]:
    """A short name of each entrant, and of the line that it belongs to: its run, and its role if there are several."""
    runs = len({entrant.source for entrant in entrants}) > 1
    roles = len({entrant.role for entrant in entrants}) > 1
    lines = [
        " ".join([*([Path(e.source).stem] if runs else []), *([e.role.replace("_", " ")] if roles or not runs else [])])
        for e in entrants
    ]
    steps = [str(entrant.iteration) if entrant.iteration else "untrained" for entrant in entrants]
    return [f"{line} {step}" if runs or roles else step for line, step in zip(lines, steps, strict=True)], lines


def _pairings(own: EvaluationSettings, source, mesh, out: Path) -> int:
    from league.evaluation.evaluation import Evaluation

    wanted = None if own.pairings in (None, ("all",)) else own.pairings
    pairings = load_pairings(CONF, source.settings.task_name, wanted)
    console, evaluation = Console(), Evaluation(source, mesh, own.matches, own.sampled)
    iteration = evaluation.subject.iteration
    table = Table(title=f"{own.run}, iteration {iteration}, {own.matches} matches a pairing")
    alone = source.arena.num_agents == 1
    for column in ("pairing", *(_ALONE if alone else _AGAINST_OTHERS)):
        table.add_column(column, justify="left" if column == "pairing" else "right")
    scores, first = {}, next(iter(pairings.values()))
    with Console(stderr=True).status("") as status:
        for index, (name, pairing) in enumerate(pairings.items()):
            status.update(f"playing {name}")
            score = evaluation.play(pairing, jax.random.fold_in(jax.random.key(own.seed), index))
            scores[name] = score._asdict()
            table.add_row(name, *(_alone if alone else _against_others)(score))
    console.print(table)
    for name, score in scores.items():
        if score["report"]:
            found = " · ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in score["report"].items())
            console.print(f"{name}: {found}", highlight=False, soft_wrap=True)
    _write(out / "scores.json", {"iteration": iteration, "settings": asdict(own), "scores": scores})
    if "last/distance" in scores[next(iter(pairings))]["metrics"]:
        from league.evaluation.pictures import draw_distance

        films = evaluation.film(first, jax.random.key(own.seed), min(own.matches, _DRAWN))
        draw_distance(out / "distance.png", films)
    return 0


_DRAWN = 20  # episodes in a chart
_ALONE = ("success", "95 %", "survival", "return", "length")
_AGAINST_OTHERS = ("wins", "draws", "losses", "of decided", "survival", "length", "rank")


def _alone(score) -> list[str]:
    """Cells of `_ALONE`: of an agent without opponents, who wins where it succeeds."""
    from league.evaluation.payoff import wilson

    low, high = wilson(score.wins, score.matches)
    shares = [f"{score.wins:.1%}", f"{low:.1%} to {high:.1%}", f"{score.survival:.1%}"]
    return [*shares, f"{score.mean_return:.1f}", f"{score.mean_length:.0f}"]


def _against_others(score) -> list[str]:
    """Cells of `_AGAINST_OTHERS`."""
    shares = (score.wins, score.draws, score.losses, score.wins_of_decided, score.survival)
    return [*(f"{share:.1%}" for share in shares), f"{score.mean_length:.0f}", f"{score.mean_rank:.2f}"]


def _exploit(own: EvaluationSettings, source, out: Path) -> int:
    from league.evaluation.exploit import best_response

    console = Console()
    with Console(stderr=True).status(f"training a best response for {own.budget} iterations"):
        settings = dataclasses.replace(source.settings, task=_ladder_task(source.settings))
        found = best_response(source.newest().state, settings, own.budget, own.matches, own.seed, own.sampled)
    low, high = found.interval
    console.print(
        f"a best response of {own.budget} iterations wins {found.score.wins:.1%}, draws {found.score.draws:.1%}: "
        f"exploitability of {own.run} at least {found.exploitability:.3f} ({low:.3f} to {high:.3f})",
        highlight=False,
        soft_wrap=True,
    )
    _write(out / "exploit.json", {"settings": asdict(own), "versions": run_folder.versions()} | found.as_dict())
    return 0


def _folder(own: EvaluationSettings) -> Path:
    """Where results go; made before anything is played."""
    in_run = own.run is not None and Path(own.run).is_dir()
    folder = Path(own.out) if own.out else (Path(own.run or ".") if in_run else Path(".")) / "evaluation"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        remedy = f"cannot write there ({error.strerror}); name a folder that you may write to"
        raise SettingError("out", folder, remedy) from error
    return folder


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, default=lambda value: value.item()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_script(main, PURPOSE, CONF, EXAMPLES)
