"""Batching of arenas: order, blocks, auto-reset from the bank, and arenas that break. No physics engine takes part."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_arena.batch import Bank, BatchedArena
from mjx_arena.types import ArenaState, Box, Discrete, PhysicsState, TimeStep

NUM_ARENAS, BANK_SIZE, BLOCK = 32, 6, 8
LONGEST = 5  # control steps


class Drift:
    """Two numbers that drift with the actions and with noise, until a length drawn at reset.

    Matches of an even length are decided for agent 0, the others run out of time. Choice 2 is legal after the start.
    """

    num_agents, observation_size, action, control_dt, mj_model = 2, 2, Discrete(3), 0.02, None

    def reset(self, key):
        key, k_start, k_length = jax.random.split(key, 3)
        length = jax.random.randint(k_length, (), 1, LONGEST + 1)
        return self._result(key, jax.random.uniform(k_start, (2,)), jnp.int32(0), length)

    def step(self, state, action):
        key, k_noise = jax.random.split(state.key)
        position = state.physics.qpos + 0.1 * action + 0.01 * jax.random.uniform(k_noise, (2,))
        return self._result(key, position, state.step_count + 1, state.memory)

    def _result(self, key, position, step_count, length):
        empty = jnp.zeros(0)
        ended, decided = step_count >= length, length % 2 == 0
        sign = jnp.array([1.0, -1.0])
        timestep = TimeStep(
            observation=jnp.stack([position, position[::-1]], -1),
            reward=position * sign,
            terminated=ended & decided,
            truncated=ended & ~decided,
            outcome=jnp.where(ended & decided, sign, 0.0),
            alive=jnp.array([True, True]),
            rated=jnp.bool_(True),
            action_mask=jnp.stack([jnp.array([True, True, False]) | (step_count > 0)] * 2),
            metrics={"first": position[0]},
        )
        physics = PhysicsState(qpos=position, qvel=empty, act=empty, warmstart=empty, sensordata=empty)
        return ArenaState(physics=physics, key=key, step_count=step_count, memory=length), timestep


@pytest.fixture(scope="module")
def batch():
    return BatchedArena(Drift(), BLOCK)


@pytest.fixture(scope="module")
def step(batch):
    return jax.jit(batch.step)


@pytest.fixture(scope="module")
def step_without_reset(batch):
    return jax.jit(batch.step_without_reset)


@pytest.fixture(scope="module")
def bank(batch):
    return jax.jit(lambda key: batch.make_bank(key, BANK_SIZE))(jax.random.key(7))


@pytest.fixture(scope="module")
def start(batch):
    """States two steps into their matches, some of which the next step ends."""
    state, _ = jax.jit(lambda key: batch.reset(key, NUM_ARENAS))(jax.random.key(0))
    return state.replace(step_count=state.memory - 1 - jnp.arange(NUM_ARENAS) % 2)


@pytest.fixture(scope="module")
def action():
    return jax.random.randint(jax.random.key(1), (NUM_ARENAS, 2), 0, 3)


@pytest.fixture(scope="module")
def played(step, start, action, bank):
    """`(state, transition)` of one step in which every second arena ends."""
    return step(start, action, bank, jax.random.key(2))


def as_numbers(tree):
    """Leaves as numpy arrays, keys as their bits."""
    is_key = jax.dtypes.prng_key
    return [
        np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, is_key) else leaf)
        for leaf in jax.tree.leaves(tree)
    ]


def assert_same_bits(one, two, rows=slice(None)):
    for first, second in zip(as_numbers(one), as_numbers(two), strict=True):
        np.testing.assert_array_equal(first[rows], second[rows])


def entry_of(bank, observation):
    """Index of the bank entry with each observation `[n, A, O]`; fails if there is none."""
    same = (np.asarray(bank.timestep.observation)[None] == np.asarray(observation)[:, None]).all((2, 3))
    assert (same.sum(1) == 1).all()
    return same.argmax(1)


def test_arenas_keep_their_order_through_the_blocks(batch, step_without_reset):
    key = jax.random.key(3)
    state, _ = batch.reset(key, NUM_ARENAS)
    first, _ = jax.vmap(batch.arena.reset)(jax.random.split(key, NUM_ARENAS))
    assert_same_bits(state, first)
    action = jnp.arange(2 * NUM_ARENAS).reshape(NUM_ARENAS, 2)
    expected = jax.jit(jax.vmap(batch.arena.step))(first, action)
    assert_same_bits(step_without_reset(state, action), expected)
    assert len(np.unique(expected[0].physics.qpos, axis=0)) == NUM_ARENAS


@pytest.mark.parametrize("block_size", [1, 4, 32, 64])
def test_the_block_size_changes_no_bit(start, action, bank, played, block_size):
    other = jax.jit(BatchedArena(Drift(), block_size).step)
    assert_same_bits(other(start, action, bank, jax.random.key(2)), played)


def test_a_block_that_does_not_divide_the_arenas_is_refused(start, action):
    with pytest.raises(ValueError, match="32 arenas do not divide into blocks of 12"):
        BatchedArena(Drift(), 12).step_without_reset(start, action)


def test_equal_inputs_give_equal_bits(step, start, action, bank, played):
    assert_same_bits(step(start, action, bank, jax.random.key(2)), played)


def test_matches_that_go_on_are_as_the_arena_left_them(played, step_without_reset, start, action):
    state, transition = played
    going_on = ~np.asarray(transition.ended)
    assert 0 < going_on.sum() < NUM_ARENAS
    plain_state, plain = step_without_reset(start, action)
    assert_same_bits(state, plain_state, going_on)
    assert_same_bits(transition.timestep, plain, going_on)
    assert_same_bits(transition.observation, plain.observation, going_on)
    assert_same_bits(transition.action_mask, plain.action_mask, going_on)


def test_matches_end_when_decided_or_out_of_time(played, start):
    _, transition = played
    due = np.asarray(start.step_count + 1 >= start.memory)
    np.testing.assert_array_equal(transition.ended, due)
    np.testing.assert_array_equal(transition.timestep.terminated, due & (np.asarray(start.memory) % 2 == 0))
    np.testing.assert_array_equal(transition.timestep.truncated, due & (np.asarray(start.memory) % 2 == 1))
    assert not transition.broken.any()
    assert transition.timestep.terminated.any() and transition.timestep.truncated.any()


def test_the_final_time_step_is_kept_beside_the_reset_observation(played, step_without_reset, start, action):
    _, transition = played
    assert_same_bits(transition.timestep, step_without_reset(start, action)[1])
    ended = np.asarray(transition.ended)
    assert (transition.timestep.observation[ended] != transition.observation[ended]).any((1, 2)).all()


def test_an_ended_match_goes_on_with_one_whole_entry_of_the_bank(played, bank):
    state, transition = played
    ended = np.asarray(transition.ended)
    entry = entry_of(bank, transition.observation[ended])
    assert_same_bits(state.physics.qpos[ended], bank.state.physics.qpos[entry])
    assert_same_bits(state.memory[ended], bank.state.memory[entry])
    assert_same_bits(transition.alive[ended], bank.timestep.alive[entry])
    assert_same_bits(transition.action_mask[ended], bank.timestep.action_mask[entry])
    assert (state.step_count[ended] == 0).all()


def test_every_arena_keeps_its_own_random_stream(played, step_without_reset, start, action):
    state, _ = played
    assert_same_bits(state.key, step_without_reset(start, action)[0].key)


def test_matches_from_the_same_entry_part_ways(step, start, bank):
    only = Bank(*jax.tree.map(lambda leaf: leaf[:1], (bank.state, bank.timestep)))
    idle = jnp.zeros((NUM_ARENAS, 2), jnp.int32)
    due = start.replace(step_count=start.memory)
    state, transition = step(due, idle, only, jax.random.key(4))
    assert len(np.unique(state.physics.qpos, axis=0)) == 1
    state, _ = step(state.replace(memory=state.memory + 10), idle, only, jax.random.key(5))
    assert len(np.unique(state.physics.qpos, axis=0)) == NUM_ARENAS


def test_the_whole_bank_is_drawn_from_and_the_draw_follows_the_key(step, start, action, bank):
    due = start.replace(step_count=start.memory)
    draws = [entry_of(bank, step(due, action, bank, jax.random.key(seed))[1].observation) for seed in range(4)]
    assert set(np.concatenate(draws)) == set(range(BANK_SIZE))
    assert len({tuple(draw) for draw in draws}) == 4


def test_an_arena_without_a_mask_has_none_in_the_transition(start, bank):
    class Maskless(Drift):
        action = Box(1)

        def _result(self, *args):
            state, timestep = super()._result(*args)
            return state, timestep.replace(action_mask=None)

    batch = BatchedArena(Maskless(), BLOCK)
    maskless = Bank(bank.state, bank.timestep.replace(action_mask=None))
    action = jnp.zeros((NUM_ARENAS, 2))
    _, transition = jax.eval_shape(batch.step, start, action, maskless, jax.random.key(0))
    assert transition.action_mask is None and transition.timestep.action_mask is None


VICTIM = 13


@pytest.fixture(scope="module", params=[np.nan, np.inf, -np.inf], ids=str)
def accident(request, step, start, action, bank):
    """`(state, transition)` of the step of `played`, but for one arena whose state is not a number any more."""
    physics = start.physics.replace(qpos=start.physics.qpos.at[VICTIM, 1].set(request.param))
    return step(start.replace(physics=physics), action, bank, jax.random.key(2))


def test_a_broken_arena_is_marked_and_no_other_one(accident):
    _, transition = accident
    np.testing.assert_array_equal(np.flatnonzero(transition.broken), [VICTIM])
    assert bool(transition.ended[VICTIM])


def test_the_others_do_not_notice_bit_for_bit(accident, played):
    assert_same_bits(accident, played, np.arange(NUM_ARENAS) != VICTIM)


def test_a_broken_arena_goes_on_with_a_bank_entry_and_its_own_stream(accident, played, bank):
    state, transition = accident
    entry = entry_of(bank, transition.observation[VICTIM][None])[0]
    assert_same_bits(state.physics.qpos[VICTIM], bank.state.physics.qpos[entry])
    assert state.step_count[VICTIM] == 0
    assert_same_bits(state.key, played[0].key)


def test_the_broken_match_is_annulled(accident):
    timestep = accident[1].timestep
    assert bool(timestep.truncated[VICTIM]) and not bool(timestep.terminated[VICTIM])
    assert not bool(timestep.rated[VICTIM]) and not timestep.alive[VICTIM].any()
    assert (timestep.reward[VICTIM] == 0).all() and (timestep.outcome[VICTIM] == 0).all()
    assert timestep.metrics["first"][VICTIM] == 0


def test_nothing_that_is_not_finite_leaves_the_step(accident):
    state, transition = accident
    for leaf in as_numbers((state, transition.replace(played=None))):  # but for what says that it did happen
        assert np.isfinite(leaf).all()


def test_a_match_that_breaks_in_its_last_step_has_no_winner(step, start, action, bank):
    last = int(np.flatnonzero((start.memory % 2 == 0) & (start.step_count + 1 == start.memory))[0])
    physics = start.physics.replace(qpos=start.physics.qpos.at[last].set(jnp.nan))
    _, transition = step(start.replace(physics=physics), action, bank, jax.random.key(2))
    assert bool(transition.broken[last]) and not bool(transition.timestep.terminated[last])
    assert (transition.timestep.outcome[last] == 0).all()


@pytest.mark.parametrize("part", ["reward", "observation"])
def test_what_the_task_computes_is_guarded_too(start, action, bank, part):
    class Wrong(Drift):
        def step(self, state, action):
            state, timestep = super().step(state, action)
            value = getattr(timestep, part)
            return state, timestep.replace(**{part: jnp.where(state.physics.qpos[0] > threshold, jnp.nan, value)})

    threshold = float(np.median(start.physics.qpos[:, 0]))
    state, transition = BatchedArena(Wrong(), BLOCK).step(start, action, bank, jax.random.key(2))
    assert 0 < transition.broken.sum() < NUM_ARENAS
    for leaf in as_numbers((state, transition.replace(played=None))):
        assert np.isfinite(leaf).all()
