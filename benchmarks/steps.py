"""Arena steps per second without a learner: `python benchmarks/steps.py car_soccer mjx 4096`.

Compiles two short programs where `scripts/benchmark.py` compiles eight, for a GPU that is only available for minutes.
Actions are random; a step includes observations and rewards, but no new matches.
"""

import argparse
import time
from statistics import median

import jax

import mjx_arena
from mjx_arena.batch import BatchedArena
from mjx_arena.physics import engines

STEPS = 24  # control steps of a round


def measure(task: str, engine: str, arenas: int, rounds: int) -> float:
    """Returns median arena steps per second over `rounds`, after one that warms up."""
    arena = mjx_arena.make(task, engine)
    batch = BatchedArena(arena, arenas)

    @jax.jit
    def play(state, key):
        def step(state, key):
            action = arena.action.sample(key, (arenas, arena.num_agents))
            state, timestep = batch.step_without_reset(state, action)
            return state, timestep.observation.sum()

        return jax.lax.scan(step, state, jax.random.split(key, STEPS))

    state = jax.jit(lambda key: batch.reset(key, arenas)[0])(jax.random.key(0))
    speeds = []
    for index in range(rounds + 1):
        started = time.perf_counter()
        jax.block_until_ready(play(state, jax.random.key(1 + index)))  # 0 is the seed of the starts
        speeds.append(arenas * STEPS / (time.perf_counter() - started))
    return median(speeds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task")
    parser.add_argument("engine", choices=engines())
    parser.add_argument("arenas", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    speed = measure(wanted.task, wanted.engine, wanted.arenas, wanted.rounds)
    where = f"{wanted.engine} on {jax.devices()[0].device_kind}"
    print(f"{wanted.task}, {wanted.arenas:,} arenas, {where}: {speed:,.0f} arena steps/s")


if __name__ == "__main__":
    main()
