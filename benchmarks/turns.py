"""Speed of our arenas and of another simulator, which take turns: random actions, observations included."""

import concurrent.futures
import multiprocessing
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import jax
from jax.sharding import PartitionSpec as P
from rich.console import Console

import mjx_arena
from mjx_arena import devices
from mjx_arena.batch import BatchedArena
from mjx_arena.physics import PhysicsSettings


def own_play(task: str, physics: str, num_arenas: int, steps: int, settings: dict[str, Any]):
    """Returns a compiled, warm function that plays `steps` control steps of random actions in all arenas."""
    arena, mesh = mjx_arena.make(task, physics, **settings), devices.make_mesh()
    share = num_arenas // mesh.size
    batch = BatchedArena(arena, devices.safe_block_size(share, PhysicsSettings(engine=physics).wanted_block))

    def start(key):
        return batch.reset(own(key), share)[0]

    def play(state, key):
        k_bank, k_play = jax.random.split(own(key))
        bank = batch.make_bank(k_bank, max(64, share // 16))

        def step(state, key):
            k_action, k_step = jax.random.split(key)
            action = arena.action.sample(k_action, (share, arena.num_agents))
            state, transition = batch.step(state, action, bank, k_step)
            return state, transition.observation.sum()

        state, total = jax.lax.scan(step, state, jax.random.split(k_play, steps))
        return state, jax.lax.psum(total, devices.AXIS)

    split, everywhere = P(devices.AXIS), P()
    start = jax.jit(jax.shard_map(start, mesh=mesh, in_specs=everywhere, out_specs=split, check_vma=False))
    play = jax.shard_map(play, mesh=mesh, in_specs=(split, everywhere), out_specs=(split, everywhere), check_vma=False)
    play = jax.jit(play)
    carry = [start(jax.random.key(0)), 1]  # 0 is the seed of the starts

    def run() -> None:
        carry[0], _ = jax.block_until_ready(play(carry[0], jax.random.key(carry[1])))
        carry[1] += 1

    for _ in range(3):
        run()
    return run


def own(key: jax.Array) -> jax.Array:
    """Returns the key of the device on which it runs."""
    return jax.random.fold_in(key, jax.lax.axis_index(devices.AXIS))


def measure(
    name: str, other: Callable[[float], int], task: str, settings: dict[str, Any], rounds: int, num_arenas: int
) -> dict[str, Any]:
    """Returns control steps per second of the simulator `name`, in one process and in one per core, and of our arenas.

    `other` plays for the given seconds in its own process, and returns the number of control steps.
    """
    cores, seconds, steps = devices.available_cores(), 2.0, 32
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
    """Prints the figures of `measure`."""
    one, all_cores, own = (figures[f"{key}_steps_per_second"] for key in (name, f"{name}_all_cores", "native"))
    console.print(f"{name}: {one:,.0f} steps/s in one process, {all_cores:,.0f} in {figures['cores']}", highlight=False)
    console.print(f"native: {own:,.0f} steps/s, x {own / one:.2f} and x {own / all_cores:.2f}", highlight=False)
