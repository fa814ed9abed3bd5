"""Cost of an arena compared with its engine alone: `python benchmarks/native.py [--arenas 1024] [--json FILE]`.

The duel on the engine `native` and a bare loop over `mujoco.batch.Batch.step`, with the same states and controls, take
turns. Actions are random and drawn in advance.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median

import jax
import numpy as np
from mujoco.batch import Batch

import mjx_arena
from league.run.folder import versions
from mjx_arena import devices
from mjx_arena.batch import BatchedArena

STEPS = 24  # control steps of one round
WARM_UP = 4  # rounds, after which the mix of standing and falling bodies stays the same


def measure(num_arenas: int, rounds: int) -> dict[str, float]:
    """Returns median arena steps per second of the loop over the engine and of the arenas, and their ratio."""
    arena = mjx_arena.make("humanoid_duel", "native")
    batch = BatchedArena(arena, num_arenas)

    @jax.jit
    def play(state, actions, key):
        def step(state, inputs):
            new_state, transition = batch.step(state, inputs[0], bank, inputs[1])
            return new_state, (transition.timestep.reward, transition.observation)

        return jax.lax.scan(step, state, (actions, jax.random.split(key, STEPS)))

    @jax.jit
    def states_met(state, actions, key):
        def step(state, inputs):
            return batch.step(state, inputs[0], bank, inputs[1])[0], state.physics

        return jax.lax.scan(step, state, (actions, jax.random.split(key, STEPS)))[1]

    k_reset, k_bank, k_action, k_warm, k_play = jax.random.split(jax.random.key(0), 5)
    bank = jax.jit(lambda key: batch.make_bank(key, num_arenas))(k_bank)
    state, _ = jax.jit(lambda key: batch.reset(key, num_arenas))(k_reset)
    actions = jax.random.uniform(k_action, (STEPS, num_arenas, 2, arena.action.size), minval=-1)
    for key in jax.random.split(k_warm, WARM_UP):
        state, _ = play(state, actions, key)

    met = states_met(state, actions, k_play)
    controls = actions.reshape(STEPS, num_arenas, arena.mj_model.nu)
    rows = np.concatenate([met.qpos, met.qvel, met.act, met.warmstart, controls], 2).astype(float)
    engine = Batch(arena.mj_model, num_arenas, devices.available_cores())
    substeps = round(arena.control_dt / arena.mj_model.opt.timestep)

    def loop():
        for row in rows:
            engine.state[:, 1 : 1 + row.shape[1]] = row
            engine.step(nstep=substeps)

    seconds: dict[str, list[float]] = {"engine": [], "arenas": []}
    for _ in range(rounds + 1):
        for name, run in (("engine", loop), ("arenas", lambda: jax.block_until_ready(play(state, actions, k_play)))):
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    speeds = {name: num_arenas * STEPS / median(values[1:]) for name, values in seconds.items()}
    return {
        "engine_arena_steps_per_second": speeds["engine"],
        "arena_steps_per_second": speeds["arenas"],
        "share": speeds["arenas"] / speeds["engine"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arenas", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    wanted = parser.parse_args()
    devices.configure(1)
    figures = measure(wanted.arenas, wanted.rounds)
    print(f"a loop over Batch.step: {figures['engine_arena_steps_per_second']:,.0f} arena steps/s")
    print(f"arenas: {figures['arena_steps_per_second']:,.0f} arena steps/s, {figures['share']:.1%} of it")
    if wanted.json:
        figures |= {"arenas": wanted.arenas, "rounds": wanted.rounds, "versions": versions()}
        wanted.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
