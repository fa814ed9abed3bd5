"""What every arena must do, as one call that a stranger's task can make too."""

import jax
import jax.numpy as jnp
import numpy as np

from mjx_arena.batch import BatchedArena
from mjx_arena.types import Arena, Box, TimeStep


def check_arena(arena: Arena, num_arenas: int = 8, num_steps: int = 64, seed: int = 0) -> None:
    """Plays `num_arenas` matches of random and of extreme actions; raises AssertionError saying what is wrong.

    Checks shapes, dtypes and ranges, that equal inputs give equal bits, that swapping the agents' actions from a start
    that looks alike to them swaps what they get, that ended matches go on from the bank, and that all stays finite.
    """
    key = jax.random.key(seed)
    batch = BatchedArena(arena, num_arenas)
    reset = jax.jit(lambda key: batch.reset(key, num_arenas))
    step = jax.jit(batch.step)
    bank = batch.make_bank(jax.random.fold_in(key, 1), num_arenas)

    state, timestep = reset(key)
    _check_timestep(arena, timestep, (num_arenas,))
    assert not bool((timestep.terminated | timestep.truncated).any()), "reset returned a match that has already ended"
    assert bool((state.step_count == 0).all()), "step_count must be 0 after reset"
    _assert_equal(reset(key), (state, timestep), "reset is not deterministic")
    other = reset(jax.random.fold_in(key, 2))[1]
    assert not np.array_equal(timestep.observation, other.observation), "reset ignores its key"

    first, ended = state, np.zeros(num_arenas, bool)
    for index in range(num_steps):
        k_action, k_step = jax.random.split(jax.random.fold_in(key, 100 + index))
        action = _random_action(arena, k_action, num_arenas, extreme=index % 2 == 1)
        before = state
        state, transition = step(before, action, bank, k_step)
        if index == 0:
            _assert_equal(step(before, action, bank, k_step), (state, transition), "step is not deterministic")
            _assert_equal(before, first, "step changed its input")
        _check_timestep(arena, transition.timestep, (num_arenas,))
        assert not bool(transition.broken.any()), f"physics left the finite numbers at step {index}"
        expected = np.where(transition.ended, 0, np.asarray(before.step_count) + 1)
        assert np.array_equal(state.step_count, expected), "step_count must rise by 1, and be 0 where a match ended"
        ended |= np.asarray(transition.ended)
    for seats in range(1, arena.num_agents):
        _check_seats(arena, key, seats)


def _check_timestep(arena: Arena, timestep: TimeStep, batch: tuple[int, ...]) -> None:
    agents = (*batch, arena.num_agents)
    expected = {
        "observation": ((*agents, arena.observation_size), jnp.float32),
        "reward": (agents, jnp.float32),
        "terminated": (batch, jnp.bool_),
        "truncated": (batch, jnp.bool_),
        "outcome": (agents, jnp.float32),
        "alive": (agents, jnp.bool_),
        "rated": (batch, jnp.bool_),
    }
    if timestep.action_mask is not None:
        expected["action_mask"] = ((*agents, arena.action.size), jnp.bool_)
        assert bool(timestep.action_mask.any(-1).all()), "action_mask leaves an agent without a legal choice"
    for name, (shape, dtype) in expected.items():
        value = getattr(timestep, name)
        assert value.shape == shape, f"{name} has shape {value.shape}, not {shape}"
        assert value.dtype == dtype, f"{name} is {value.dtype}, not {jnp.dtype(dtype)}"
        assert bool(jnp.isfinite(value).all()), f"{name} is not finite"
    for name, value in timestep.metrics.items():
        assert value.shape == batch, f"metric {name} has shape {value.shape}, not {batch}"
    assert bool((jnp.abs(timestep.outcome) <= 1).all()), "outcome must lie in [-1, 1]"
    assert not bool((timestep.terminated & timestep.truncated).any()), "terminated and truncated exclude each other"
    total = jnp.where(timestep.terminated & timestep.rated, timestep.outcome.sum(-1), 0)
    assert bool((jnp.abs(total) < 1e-5).all()), "the outcomes of a rated match must add up to 0"


def _random_action(arena: Arena, key: jax.Array, num_arenas: int, extreme: bool) -> jax.Array:
    shape = (num_arenas, arena.num_agents)
    if isinstance(arena.action, Box):
        uniform = jax.random.uniform(key, (*shape, arena.action.size), minval=-1)
        return 10 * jnp.sign(uniform) if extreme else uniform
    return jax.random.randint(key, shape, 0, arena.action.size)


def _check_seats(arena: Arena, key: jax.Array, shift: int) -> None:
    """Every agent's observation must have the same meaning: over many starts, all seats see the same distribution."""
    observation = np.asarray(jax.vmap(arena.reset)(jax.random.split(key, 512))[1].observation)
    own, other = observation[:, 0], observation[:, shift]
    spread = np.sqrt((own.var(0) + other.var(0)) / len(own)) + 1e-4
    gap = np.abs(own.mean(0) - other.mean(0)) / spread
    assert gap.max() < 6, (
        f"observation {gap.argmax()} differs between seats 0 and {shift}: {gap.max():.1f} standard errors"
    )


def _assert_equal(first, second, message: str) -> None:
    for one, two in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, two = jax.random.key_data(one), jax.random.key_data(two)
        assert np.array_equal(one, two), message
