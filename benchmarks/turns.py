"""Arenas of this project and another simulator's environments in turn, with random actions, observations included."""

import concurrent.futures
import multiprocessing
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import jax
from rich.console import Console

import mjx_arena
from mjx_arena.batch import BatchedArena
from mjx_arena.devices import available_cores


def own_play(task: str, physics: str, num_arenas: int, steps: int, settings: dict[str, Any]):
    """A function that plays so many control steps of random choices, compiled and warm."""
    arena = mjx_arena.make(task, physics, **settings)
    batch = BatchedArena(arena, num_arenas if physics == "native" else 64)

    @jax.jit
    def play(state, key):
        k_bank, k_play = jax.random.split(key)
        bank = batch.make_bank(k_bank, max(64, num_arenas // 16))

        def step(state, key):
            k_action, k_step = jax.random.split(key)
            action = jax.random.randint(k_action, (num_arenas, arena.num_agents), 0, arena.action.size)
            state, transition = batch.step(state, action, bank, k_step)
            return state, transition.observation.sum()

        return jax.lax.scan(step, state, jax.random.split(k_play, steps))

    carry = [jax.jit(lambda key: batch.reset(key, num_arenas)[0])(jax.random.key(0)), 0]

    def run() -> None:
        carry[0], _ = jax.block_until_ready(play(carry[0], jax.random.key(carry[1])))
        carry[1] += 1

    for _ in range(3):
        run()
    return run


def measure(
    name: str, other: Callable[[float], int], task: str, settings: dict[str, Any], rounds: int, num_arenas: int = 1024
) -> dict[str, Any]:
    """Control steps per second: of the simulator `name` in one process and in one on each core, and of our arenas.

    `other` plays for so many seconds in a process of its own, and returns how many control steps it made.
    """
    cores, seconds, steps = available_cores(), 2.0, 32
    found: dict[str, list[float]] = {name: [], f"{name}_all_cores": [], "native": []}
    run = own_play(task, "native", num_arenas, steps, settings)
    spawned = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(cores, mp_context=spawned) as pool:
        list(pool.map(other, [0.1] * cores))  # starts the processes
        for _ in range(rounds):
            found[name].append(pool.submit(other, seconds).result() / seconds)
            found[f"{name}_all_cores"].append(sum(pool.map(other, [seconds] * cores)) / seconds)
            started, played = time.perf_counter(), 0
            while time.perf_counter() - started < seconds:
                run()
                played += num_arenas * steps
            found["native"].append(played / (time.perf_counter() - started))
    figures: dict[str, Any] = {f"{key}_steps_per_second": median(values) for key, values in found.items()}
    return figures | {"rounds": found, "cores": cores, "arenas": num_arenas}


def show(name: str, figures: dict[str, Any], console: Console) -> None:
    one, all_cores, own = (figures[f"{key}_steps_per_second"] for key in (name, f"{name}_all_cores", "native"))
    console.print(f"{name}: {one:,.0f} steps/s in one process, {all_cores:,.0f} in {figures['cores']}", highlight=False)
    console.print(f"native: {own:,.0f} steps/s, x {own / one:.2f} and x {own / all_cores:.2f}", highlight=False)
