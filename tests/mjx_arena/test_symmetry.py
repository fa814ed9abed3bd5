"""Mirrors: `check_arena` proves those of the games and finds a wrong one; reflections by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mjx_arena
from mjx_arena import check_arena
from mjx_arena.symmetry import Reflection, by_names, is_odd, joined, kept, seated
from mjx_arena.tasks.ant_sumo.arena import AntSumo

GAMES = ("humanoid_duel", "ant_sumo", "ant_battle", "humanoid_pose", "car_soccer")
A_LEG_IN_PLACE = AntSumo.symmetry._replace(action=kept(8))
SEATS_CHANGED = AntSumo.symmetry._replace(seats=(1, 0))
HEIGHT_TURNED = AntSumo.symmetry._replace(
    observation=AntSumo.symmetry.observation._replace(sign=(-1.0, *AntSumo.symmetry.observation.sign[1:]))
)
STATE_KEPT = AntSumo.symmetry._replace(state=lambda state: state)


def test_reflections_by_hand():
    names = ("velocity ahead", "velocity left", "spin x", "spin y", "spin z", "vertical y", "time left", "knee_left")
    turned = by_names(names, is_odd)
    assert turned.sign == (1, -1, -1, 1, -1, -1, 1, 1)


def test_parts_change_places_and_join():
    other = {"left": "right", "right": "left"}
    legs = by_names(("left", "right", "head"), lambda name: name == "head", lambda name: other.get(name, name))
    assert legs(jnp.array([1.0, 2, 3])).tolist() == [2, 1, -3]
    assert joined(kept(1), legs)(jnp.array([9.0, 1, 2, 3])).tolist() == [9, 2, 1, -3]
    assert seated(legs, (1, 0))(jnp.array([1.0, 2, 3, 4, 5, 6])).tolist() == [5, 4, -6, 2, 1, -3]
    choices = Reflection((0, 2, 1), (1.0, 1.0, 1.0))
    assert choices.of_choice(jnp.array([0, 1, 2, 1])).tolist() == [0, 2, 1, 2]
    assert choices.of_mask(jnp.array([True, False, True])).tolist() == [True, True, False]


@pytest.mark.parametrize("game", GAMES)
def test_an_image_s_image_is_the_original(game):
    arena = mjx_arena.make(game, "native")
    symmetry = arena.symmetry
    rng = np.random.default_rng(0)
    for reflection, size in ((symmetry.observation, arena.observation_size), (symmetry.action, arena.action.size)):
        values = jnp.asarray(rng.normal(size=(5, size)), jnp.float32)
        assert not np.array_equal(reflection(values), values)
        np.testing.assert_array_equal(reflection(reflection(values)), values)
    state, _ = jax.jit(arena.reset)(jax.random.key(0))
    image = symmetry.state(state)
    assert not np.array_equal(image.physics.qpos, state.physics.qpos)
    np.testing.assert_array_equal(symmetry.state(image).physics.qpos, state.physics.qpos)


def test_cars_are_the_same_in_the_mirror():
    """Of matches that begin at a kick-off nearly nothing can be compared, see `Symmetry.is_tied`."""
    check_arena(mjx_arena.make("car_soccer", "native", start="random"), num_steps=32)


@pytest.mark.parametrize("wrong", [A_LEG_IN_PLACE, SEATS_CHANGED, HEIGHT_TURNED, STATE_KEPT])
def test_a_wrong_mirror_is_found(wrong, monkeypatch):
    arena = mjx_arena.make("ant_sumo", "native")
    monkeypatch.setattr(AntSumo, "symmetry", wrong)
    with pytest.raises(AssertionError, match="not the same in its mirror"):
        check_arena(arena, num_steps=4)
