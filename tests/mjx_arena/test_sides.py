import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chase import Chase, ChaseSettings

from mjx_arena import Box, Discrete, PhysicsSettings, SideSpace, check_arena
from mjx_arena.sides import SidedArena


@pytest.fixture(scope="module")
def chase():
    return Chase(ChaseSettings(), PhysicsSettings())


def test_the_game_of_two_sides_keeps_the_contract(chase):
    check_arena(chase)


def test_observations_are_padded_and_end_with_the_side(chase):
    seen = np.asarray(chase.reset(jax.random.key(0))[1].observation)
    assert seen.shape == (3, 8 + 2)
    assert np.array_equal(seen[:, -2:], [[1, 0], [1, 0], [0, 1]])
    assert np.array_equal(seen[:2, 5:8], np.zeros((2, 3))) and seen[2, :7].all()


def test_padding_never_reaches_the_motors(chase):
    state, timestep = chase.reset(jax.random.key(0))
    assert np.array_equal(timestep.action_mask, [[True, True], [True, True], [True, False]])
    action = jnp.array([[0.1, 0.2], [0.3, 4.0], [0.5, 7.0]])
    after, _ = chase.step(state, action)
    assert np.allclose(after.memory.controls, [0.1, 0.2, 0.3, 1.0, 0.5])  # clipped too
    again, _ = chase.step(state, action.at[2, 1].set(-7.0))
    assert np.array_equal(again.memory.place, after.memory.place)


def test_a_game_whose_padding_moves_something_is_found():
    class Leaky(Chase):
        def split(self, action):
            chasers, runner = super().split(action)
            return [chasers, runner + action[-1:, 1:]]

    with pytest.raises(AssertionError, match="padding of an action reaches the game"):
        check_arena(Leaky(ChaseSettings(), PhysicsSettings()))


def test_seats_of_one_side_must_be_alike():
    class Unfair(Chase):
        def join(self, by_side):
            return super().join([by_side[0].at[1, 0].add(0.5), by_side[1]])

    with pytest.raises(AssertionError, match="seats 0 and 1"):
        check_arena(Unfair(ChaseSettings(), PhysicsSettings()))


def test_choices_and_controls_do_not_mix():
    class Mixed(SidedArena):
        side_spaces = (SideSpace(2, Box(1)), SideSpace(2, Discrete(3)))

    Mixed.__abstractmethods__ = frozenset()
    with pytest.raises(ValueError, match="all sides must have Box actions"):
        _ = Mixed(ChaseSettings(), PhysicsSettings()).action
