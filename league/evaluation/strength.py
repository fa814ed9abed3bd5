"""Measures how strong a champion and its weaker selves are: each against the next weaker one, as it is watched."""

import jax
import numpy as np

from league.evaluation import payoff
from league.evaluation.evaluation import ranks
from league.evaluation.evaluator import Evaluator, stack
from league.evaluation.pairings import against_itself, load_pairings
from league.evaluation.sources import ChampionSource
from mjx_arena import devices, registry
from mjx_arena.validation import replace_nested

_CHAIN = {"champion": 1.0, "third": 1 / 3, "tenth": 0.1, "untrained": 0.0}  # share of the run, from strong to weak


def measure(name: str, matches: int, seed: int, engine: str = "native") -> dict[str, dict[str, float]]:
    """Plays `matches` of each self of `champion:<name>`, with sampled actions; returns self -> figures.

    In a game of several agents a self has one random seat and the next weaker one all others; alone it plays alone.
    Figures are shares of matches: `wins` and `draws`, and `score`, wins and half the draws, with the ends `low` and
    `high` of its 95 % interval; alone `score` is the share of successes. With more than two agents there is `rank`.
    """
    source = ChampionSource(f"champion:{name}", engine)
    pairing = against_itself(load_pairings(source.settings.task_name, source.arena.num_agents))
    arena = registry.build(replace_nested(source.settings.task, pairing.task, "task"), source.settings.physics)
    agents, alone = arena.num_agents, arena.num_agents == 1
    chain = list(_CHAIN)[: 3 if alone else 4]
    members = stack([source.at_fraction(_CHAIN[each]).state for each in chain])
    evaluator = Evaluator(arena, [source.policy], devices.make_mesh(1), source.settings.physics.wanted_block, True)
    k_seat, k_play = jax.random.split(jax.random.key(seed))
    strong = np.repeat(np.arange(3), matches)
    seat = np.asarray(jax.random.randint(k_seat, strong.shape, 0, agents))
    slot = np.where(np.arange(agents) == seat[:, None], strong[:, None], strong[:, None] + 1)
    records = evaluator.play([members], slot, k_play)
    outcome = np.asarray(records.outcome)[np.arange(len(seat)), seat]
    found = {}
    for index, each in enumerate(chain[:3]):
        own = outcome[(strong == index) & np.asarray(records.valid)]
        wins, draws = float((own > 0).mean()), float((own == 0).mean())
        score = wins + draws / 2
        low, high = payoff.wilson(score, len(own))
        found[each] = {"wins": wins, "draws": draws, "score": score, "low": float(low), "high": float(high)}
        found[each] |= {"rank": float(ranks(own, agents).mean())} if agents > 2 else {}
        found[each] |= {"matches": len(own)}
    return found
