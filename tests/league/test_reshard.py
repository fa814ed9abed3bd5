"""Matches in play that another number of devices goes on with."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from league import reshard
from league.matches import Matches
from league.split import num_mirror

AGENTS = 2


def matches_of(arenas, devices, share):
    """Two roles' matches, in which every number tells its arena: 1000 and more in mirror arenas."""
    mirror = num_mirror(arenas // devices, share, AGENTS)
    kinds = np.where(np.arange(arenas) % (arenas // devices) < mirror, 1000, 0)
    own = np.tile(kinds + np.arange(arenas), (2, 1))
    each = np.stack([own, own], -1)
    league = np.tile(np.arange(arenas)[kinds == 0], (2, 1))
    return Matches(
        arena={"tag": own}, observation=each[..., None], alive=each, action_mask=None, episode_return=each,
        seat=league, slot=league[..., None], generation=league[..., None],
        history=None,
    )  # fmt: skip


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=60)
def test_every_arena_stays_with_its_kind_and_comes_back(before, now, more, share):
    arenas = 2 * before * now * more
    matches = matches_of(arenas, before, share)
    dealt = reshard.dealt(matches, before, now, share)

    tags = dealt.arena["tag"]
    assert sorted(tags[0]) == sorted(matches.arena["tag"][0])
    mirror = num_mirror(arenas // now, share, AGENTS)
    is_mirror = np.tile(np.arange(arenas) % (arenas // now) < mirror, (2, 1))
    assert np.array_equal(tags >= 1000, is_mirror)
    # Seats, in the order of league arenas, still belong to the same ones.
    assert np.array_equal(tags[~is_mirror].reshape(2, -1), dealt.seat)
    back = reshard.dealt(dealt, now, before, share)
    jax.tree.map(np.testing.assert_array_equal, back, matches)


def test_kinds_that_do_not_split_alike_are_refused():
    with pytest.raises(ValueError, match="do not split"):
        reshard.dealt(matches_of(12, 2, 0.25), 2, 1, 0.25)  # 2 x round(1.5) = 4 mirror arenas, then 3
