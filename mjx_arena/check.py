"""Checks of the contract that every arena keeps, for this project's games and for those of other people."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.arena import Arena
from mjx_arena.batch import Bank, BatchedArena
from mjx_arena.sides import SidedArena
from mjx_arena.symmetry import Symmetry
from mjx_arena.types import ArenaState, Box, TimeStep

_SYMMETRY_TOLERANCE = 1e-3  # of 1 plus the size of a number; sums in another order differ by less
_SEAT_ROUNDS = 64  # rounds of `num_arenas` matches that compare the seats


def check_arena(arena: Arena, num_arenas: int = 8, num_steps: int = 64, seed: int = 0) -> None:
    """Plays matches of random and of extreme actions; raises AssertionError with a message about the first fault.

    Checks shapes, dtypes and ranges; that equal inputs give equal bits, that actions are clipped, that the seats of a
    side observe and earn the same on average, that ended matches continue from the bank, and that all stays finite.
    """
    _check_structure(arena)
    # Split, and not folded: `fold_in(key, i)` is `split(key)[i]`, and `reset` splits the key that it gets.
    k_reset, k_bank, k_play, k_seats = jax.random.split(jax.random.key(seed), 4)
    batch = BatchedArena(arena, num_arenas)
    reset = jax.jit(lambda key: batch.reset(key, num_arenas))
    step = jax.jit(batch.step)

    state, timestep = reset(k_reset)
    bank = Bank(*reset(k_bank))
    _check_values(timestep)
    assert not bool((timestep.terminated | timestep.truncated).any()), "reset returned a match that has already ended"
    assert bool((state.step_count == 0).all()), "step_count must be 0 after reset"
    _assert_equal(reset(k_reset), (state, timestep), "reset is not deterministic")
    assert not np.array_equal(timestep.observation, bank.timestep.observation), "reset ignores its key"
    streams = np.unique(jax.random.key_data(state.key), axis=0)
    assert len(streams) == num_arenas, "arenas share a random stream: reset must derive the state's key from its own"

    for index, key in enumerate(jax.random.split(k_play, num_steps)):
        k_action, k_step = jax.random.split(key)
        action = _random_action(arena, k_action, num_arenas, extreme=index % 2 == 1)
        before = state
        state, transition = step(before, action, bank, k_step)
        if index == 0:
            again = step(before, action, bank, k_step)
            if getattr(arena.physics, "reproducible", True):
                _assert_equal(again, (state, transition), "step is not deterministic")
        if index == 1 and isinstance(arena, SidedArena):
            own = arena.own_actions if isinstance(arena.action, Box) else None
            other = action if own is None else jnp.where(own, action, -action)
            after = step(before, other, bank, k_step)
            _assert_equal(after, (state, transition), "padding of an action reaches the game: use split")
        if index == 1 and isinstance(arena.action, Box):
            clipped = step(before, jnp.clip(action, -1, 1), bank, k_step)
            _assert_equal(clipped, (state, transition), "step must clip its action to [-1, 1]")
        assert not bool(transition.broken.any()), f"physics, observation or reward is not finite at step {index}"
        _check_values(transition.timestep)
        ended = np.asarray(transition.ended)
        expected = np.where(ended, 0, np.asarray(before.step_count) + 1)
        assert np.array_equal(state.step_count, expected), "step_count must rise by 1, and be 0 where a match ended"
        same = (transition.observation[:, None] == bank.timestep.observation).all((2, 3)).any(1)
        assert bool(same[ended].all()), "a match that ended did not go on with an observation of the bank"
    _check_seats(arena, reset, step, bank, k_seats)
    if arena.symmetry is not None:
        _check_symmetry(arena, arena.symmetry, batch, bank.state, num_steps)


def _check_structure(arena: Arena) -> None:
    """Checks shapes and dtypes of one arena without running it, and that `step` returns the same ones as `reset`."""
    assert isinstance(arena, Arena), "a game is a subclass of mjx_arena.Arena"
    assert isinstance(getattr(arena, "version", None), int), "an arena needs a version, a whole number"
    sides = arena.sides
    assert len(sides) == arena.num_agents, f"sides has {len(sides)} entries for {arena.num_agents} agents"
    assert set(sides) == set(range(arena.num_sides)), f"sides must count from 0 without gaps, not {sides}"
    idle, shape = arena.idle_action, (arena.action.size,) if isinstance(arena.action, Box) else ()
    assert np.shape(idle) == shape, f"idle_action has the shape {np.shape(idle)}, not {shape}"
    state, timestep = jax.eval_shape(arena.reset, jax.random.key(0))
    _check_shapes(arena, timestep, "reset")
    if isinstance(arena.action, Box):
        action = jax.ShapeDtypeStruct((arena.num_agents, arena.action.size), jnp.float32)
    else:
        action = jax.ShapeDtypeStruct((arena.num_agents,), jnp.int32)
    after_state, after_timestep = jax.eval_shape(arena.step, state, action)
    _check_shapes(arena, after_timestep, "step")
    for name, first, after in (("state", state, after_state), ("time step", timestep, after_timestep)):
        expected, found = (jax.tree_util.tree_leaves_with_path(tree) for tree in (first, after))
        same_parts = [path for path, _ in expected] == [path for path, _ in found]
        assert same_parts, f"the {name} has other parts after step than after reset"
        for (path, old), (_, new) in zip(expected, found, strict=True):
            part, fits = jax.tree_util.keystr(path), old.shape == new.shape and old.dtype == new.dtype
            assert fits, f"the {name}'s {part} is {_describe(old)} after reset, but {_describe(new)} after step"
    # A state goes back into `step`, which is compiled once more for every other type, and weak types are others.
    for (path, old), (_, new) in zip(*map(jax.tree_util.tree_leaves_with_path, (state, after_state)), strict=True):
        assert old.weak_type == new.weak_type, (
            f"the state's {jax.tree_util.keystr(path)} has the type of a Python number after reset or step alone, so "
            f"step would be compiled twice; make it jnp.{new.dtype}(...)"
        )


def _check_shapes(arena: Arena, timestep: TimeStep, source: str) -> None:
    agents = (arena.num_agents,)
    expected = {
        "observation": ((*agents, arena.observation_size), jnp.float32),
        "reward": (agents, jnp.float32),
        "terminated": ((), jnp.bool_),
        "truncated": ((), jnp.bool_),
        "outcome": (agents, jnp.float32),
        "alive": (agents, jnp.bool_),
        "rated": ((), jnp.bool_),
    }
    if timestep.action_mask is not None:
        expected["action_mask"] = ((*agents, arena.action.size), jnp.bool_)
    for name, (shape, dtype) in expected.items():
        wanted, value = jax.ShapeDtypeStruct(shape, dtype), getattr(timestep, name)
        fits = value.shape == shape and value.dtype == dtype
        assert fits, f"{name} of {source} is {_describe(value)}, not {_describe(wanted)}"
    for name, value in timestep.metrics.items():
        assert value.shape == (), f"metric {name} of {source} has shape {value.shape}, not ()"


def _describe(value: Any) -> str:
    return f"{value.dtype}{list(value.shape)}"


def _check_values(timestep: TimeStep) -> None:
    """Checks the ranges of a batch of time steps `[N, ...]`."""
    for name in ("observation", "reward", "outcome"):
        assert bool(jnp.isfinite(getattr(timestep, name)).all()), f"{name} is not finite"
    for name, value in timestep.metrics.items():
        assert bool(jnp.isfinite(value).all()), f"metric {name} is not finite"
    if timestep.action_mask is not None:
        assert bool(timestep.action_mask.any(-1).all()), "action_mask leaves an agent without a legal choice"
    assert bool((jnp.abs(timestep.outcome) <= 1).all()), "outcome must lie in [-1, 1]"
    assert not bool((timestep.terminated & timestep.truncated).any()), "terminated and truncated exclude each other"
    total = jnp.where(timestep.terminated & timestep.rated, timestep.outcome.sum(-1), 0)
    assert bool((jnp.abs(total) < 1e-5).all()), "the outcomes of a rated match must add up to 0"


def _random_action(arena: Arena, key: jax.Array, num_arenas: int, extreme: bool) -> jax.Array:
    action = arena.action.sample(key, (num_arenas, arena.num_agents))
    return 10 * jnp.sign(action) if extreme and isinstance(arena.action, Box) else action


def _check_seats(arena: Arena, reset, step, bank: Bank, key: jax.Array) -> None:
    """Asserts that the seats of a side observe and earn the same on average, over many starts and random actions.

    Compares means and mean squares of every observation and of the reward between the first seat of a side and each
    other one, within a match, in standard errors.
    """
    num_arenas = bank.state.step_count.shape[0]
    rounds = []
    for round_key in jax.random.split(key, _SEAT_ROUNDS):
        k_reset, k_action, k_step = jax.random.split(round_key, 3)
        state, start = reset(k_reset)
        played = step(state, _random_action(arena, k_action, num_arenas, extreme=False), bank, k_step)[1].timestep
        rounds.append(np.concatenate([start.observation, played.observation, played.reward[..., None]], -1))
    values = np.concatenate(rounds)  # [matches, A, what is compared]
    where = [f"observation {i} after {moment}" for moment in ("reset", "step") for i in range(arena.observation_size)]
    names = [f"{moment} of {place}" for moment in ("mean", "mean square") for place in (*where, "the reward")]
    for seat, side in enumerate(arena.sides):
        first = arena.sides.index(side)
        one, other = values[:, first], values[:, seat]
        difference = np.concatenate([one - other, one**2 - other**2], -1)
        gap = np.abs(difference.mean(0)) / (difference.std(0) / np.sqrt(len(difference)) + 1e-4)
        worst = int(gap.argmax())
        assert gap[worst] < 6, (
            f"{names[worst]} differs between seats {first} and {seat}: {gap[worst]:.1f} standard errors"
        )


def _check_symmetry(arena: Arena, symmetry: Symmetry, batch: BatchedArena, state: ArenaState, num_steps: int) -> None:
    """Asserts that the image of each match under the images of its actions steps to the image of what it steps to."""
    num_arenas, seats = state.step_count.shape[0], np.array(symmetry.seats)
    act = symmetry.action if isinstance(arena.action, Box) else symmetry.action.of_choice
    tied = symmetry.is_tied or (lambda state: jnp.bool_(False))

    def image_of(timestep: TimeStep) -> TimeStep:
        turned = {name: getattr(timestep, name)[:, seats] for name in ("reward", "outcome", "alive", "observation")}
        mask = timestep.action_mask
        return timestep.replace(
            **turned | {"observation": symmetry.observation(turned["observation"])},
            action_mask=None if mask is None else symmetry.action.of_mask(mask[:, seats]),
            metrics={},
        )

    @jax.jit
    def both(state, action):
        image, seen = batch.step_without_reset(jax.vmap(symmetry.state)(state), act(action[:, seats]))
        after, timestep = batch.step_without_reset(state, action)
        compared = ~jax.vmap(tied)(state) & ~jax.vmap(tied)(after)
        expected = jax.vmap(symmetry.state)(after).replace(key=image.key), image_of(timestep)
        return after, compared, expected, (image, seen.replace(metrics={}))

    key = jax.random.key(num_steps)
    for index in range(num_steps):
        action = _random_action(arena, jax.random.fold_in(key, index), num_arenas, extreme=index % 2 == 1)
        state, compared, expected, found = both(state, action)
        for (path, one), (_, two) in zip(*map(jax.tree_util.tree_leaves_with_path, (expected, found)), strict=True):
            if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
                continue
            gap = (jnp.abs(1.0 * one - two) / (1 + jnp.abs(one)))[compared]
            place = f"{jax.tree_util.keystr(path)} differs by {float(gap.max(initial=0)):.2g} at step {index}"
            assert bool((gap < _SYMMETRY_TOLERANCE).all()), f"the game is not the same in its mirror: {place}"


def _assert_equal(first, second, message: str) -> None:
    for one, two in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, two = jax.random.key_data(one), jax.random.key_data(two)
        assert np.array_equal(one, two), message
