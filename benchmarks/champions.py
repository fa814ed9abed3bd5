"""Makes a champion of a finished run: exports it and its weaker selves, measures them, and describes them.

    python benchmarks/champions.py runs/duel humanoid_duel \
        --command "python scripts/train.py experiment=duel_league physics=native seed=0" --commit b080b42

Writes `mjx_arena/champions/<name>.npz`, `<name>_third.npz`, `<name>_tenth.npz`, and the entry `<name>` of
`champions.json` there, and all of them as a table into `results/champions.md`. A weaker self is the checkpoint nearest
to its share of the run.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from league.commands.export import ExportSettings, export
from league.config.compose import to_mapping
from league.evaluation import champions
from league.evaluation.pairings import against_itself, load_pairings
from league.evaluation.sources import ChampionSource, RunSource
from league.evaluation.strength import measure
from league.run import folder as run_folder
from league.watch.match import Match
from league.watch.odds import Odds, lead_of
from league.watch.players import PolicyPlayer
from mjx_arena import devices, registry
from mjx_arena.drafts import draft_of
from mjx_arena.validation import replace_nested

TABLE = Path(__file__).resolve().parents[1] / "results" / "champions.md"
_ODDS_MATCHES = 60
_HEAD = """# Champions

Policies that come with the package, each with two weaker selves, taken at about a third and a tenth of its run. A score
counts wins, and draws as a half, in matches with sampled actions: of the champion against its third, of the third
against its tenth, of the tenth against a policy that was not trained; in games of one player, the share of episodes
that succeed; with four players a win is a place in the better half, and the mean rank is beside it. In brackets 95 %
intervals (Wilson). Minutes are of the clock, and other programs ran beside some of them. Made by
`python benchmarks/champions.py`, and held to by `python -m pytest -m slow tests/league/evaluation/test_champions.py`.

| champion | trained by | million arena steps, minutes | champion | third | tenth | matches each |
|---|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the finished run")
    parser.add_argument("name", help="of the champion; that of the task makes it the task's")
    parser.add_argument("--command", required=True, help="by which the run was trained")
    parser.add_argument("--commit", required=True, help="at which it was trained")
    parser.add_argument("--matches", type=int, default=1000, help="of each policy")
    parser.add_argument("--seed", type=int, default=1, help="of the matches")
    own = parser.parse_args()
    devices.configure(1)
    source = RunSource(own.run)
    champions.FOLDER.mkdir(exist_ok=True)
    selves = {self: source.at_fraction(share) for self, share in champions.SELVES.items()}
    for self, contestant in selves.items():
        path = champions.FOLDER / f"{own.name}{'_' if self else ''}{self}.npz"
        export(ExportSettings(run=str(own.run), checkpoint=contestant.iteration, out=str(path)))
    rows = [json.loads(line) for line in (own.run / run_folder.METRICS).read_text(encoding="utf-8").splitlines()]
    about = {
        "task": to_mapping(source.settings)["task"],
        "task_version": source.arena.version,
        "commit": own.commit,
        "command": own.command,
        "seed": source.settings.seed,
        "iterations": {self or "champion": contestant.iteration for self, contestant in selves.items()},
        "arena_steps": {self or "champion": contestant.arena_steps for self, contestant in selves.items()},
        "minutes": round(sum(row["time/iteration_seconds"] for row in rows) / 60, 1),
        "versions": run_folder.versions(),
    }
    _describe(own.name, about)
    about["strength"] = measure(own.name, own.matches, own.seed)
    about["odds"] = _odds(own.name)
    _describe(own.name, about)
    TABLE.write_text(table(champions.descriptions()), encoding="utf-8")
    print(json.dumps({"strength": about["strength"], "odds": about["odds"]}, indent=1))


def _odds(name: str) -> list[float]:
    """Returns slope and offset of the odds, learned from matches of the champion and its third against each other."""
    source = ChampionSource(f"champion:{name}", "native")
    pairing = against_itself(load_pairings(source.settings.task_name, source.arena.num_agents))
    arena = registry.build(replace_nested(source.settings.task, pairing.task, "task"), source.settings.physics)
    players = [PolicyPlayer("", source.at_fraction(share), sampled=True) for share in (1.0, 1 / 3)]
    match, odds = Match(arena, [players[0]] * arena.num_agents, 0), Odds()
    for seed in range(_ODDS_MATCHES):
        match.players = [players[(seed + seat) % 2] for seat in range(arena.num_agents)]
        match.start(seed)
        leads = []
        while match.outcome is None:
            lead = lead_of([move.value for move in match.step().moves], 0)
            leads += [] if lead is None else [lead]
        odds.learn(leads, float(match.outcome[0]))
    return [round(float(weight), 4) for weight in odds.weights]


def table(descriptions: Mapping[str, Any]) -> str:
    """Returns the page about all champions."""
    rows = []
    for name, about in sorted(descriptions.items()):
        scores = [about["strength"][self] for self in ("champion", "third", "tenth")]
        figures = [
            f"{score['score']:.3f} ({score['low']:.3f} to {score['high']:.3f}){_rank(score)}" for score in scores
        ]
        length = f"{about['arena_steps']['champion'] / 1e6:.1f}, {about['minutes']:.0f}"
        command = f"`{about['command']}` at {about['commit']}"
        rows.append(f"| `champion:{name}` | {command} | {length} | {' | '.join(figures)} | {scores[0]['matches']} |\n")
    return _HEAD + "".join(rows)


def _rank(score: Mapping[str, float]) -> str:
    return f", rank {score['rank']:.2f}" if "rank" in score else ""


def _describe(name: str, about: dict) -> None:
    path = champions.FOLDER / "champions.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    with draft_of(path) as draft:
        draft.write_text(json.dumps(known | {name: about}, indent=1) + "\n", encoding="utf-8")
    champions.descriptions.cache_clear()


if __name__ == "__main__":
    main()
