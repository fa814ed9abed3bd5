"""AlphaStar's roles: whom each plays and when it is done, by the pseudocode's rules worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from league import pool, roles
from league.roles import ROLES
from league.settings import ROLES as NAMES
from league.settings import LeagueSettings
from ppo import normalizer
from ppo.policy import PolicyState

POLICY = PolicyState(params={"w": jnp.zeros(2)}, normalizer=normalizer.init(1))
MAIN, EXPLOITER, LEAGUE = range(3)
SETTINGS = LeagueSettings(
    roles=("main", "main_exploiter", "league_exploiter"),
    player_pool_length=9,
    mirror_fraction=0.0,
    snapshot_win_rate=0.7,
    snapshot_min_games=10,
    snapshot_interval=20,
)
# Slot 0 is untrained, then main, main, main exploiter, league exploiter, main; three slots are empty.
TAKEN = ((MAIN, 10), (MAIN, 20), (EXPLOITER, 25), (LEAGUE, 26), (MAIN, 30))
NEWEST_MAIN = 5


def test_settings_and_roles_name_the_same():
    assert set(NAMES) == set(ROLES)


@pytest.fixture(scope="module")
def filled():
    found = pool.create(POLICY, SETTINGS)
    for role, iteration in TAKEN:
        found = pool.add(found, POLICY, jnp.int32(iteration), SETTINGS, role=role)
    return found


def record_of(filled, role, rates, games=1000):
    """The role's record after so many games with each member, of which it won those shares."""
    wins = games * jnp.array([*rates, 0, 0, 0])
    decayed = jnp.stack([wins, jnp.zeros(9), games * jnp.ones(9) - wins], 1)
    record = filled.record(role)
    return record.replace(results=record.results.replace(decayed=decayed), since=jnp.array([games, 0, 0]))


def shares(*weights):
    weights = np.array([*weights, 0, 0, 0], float)
    return weights / weights.sum()


def test_the_newest_snapshot_of_each_role_is_known(filled):
    assert filled.records.newest.tolist() == [5, 3, 4]
    assert filled.role.tolist()[:6] == [pool.FOREIGN, MAIN, MAIN, EXPLOITER, LEAGUE, MAIN]


def test_main_plays_all_by_pfsp_itself_and_exploiters_that_beat_it(filled):
    x = [1.0, 0.8, 0.9, 0.2, 0.5, 0.5]
    found = roles.main(filled, record_of(filled, MAIN, x), SETTINGS)
    pfsp = shares(*((1 - np.array(x)) ** 2))
    exploiters = shares(0, 0, 0, 1, 0, 0)  # below 0.3
    itself = shares(0, 0, 0, 0, 0, 1)
    np.testing.assert_allclose(found, 0.5 * pfsp + 0.15 * exploiters + 0.35 * itself, atol=1e-5)


def test_main_verifies_against_what_it_has_forgotten(filled):
    x = [1.0, 0.6, 0.8, 0.9, 0.9, 0.8]
    found = roles.main(filled, record_of(filled, MAIN, x), SETTINGS)
    pfsp = shares(*((1 - np.array(x)) ** 2))
    forgotten = shares(0, 0.4**2, 0.2**2, 0, 0, 0.2**2)
    itself = shares(0, 0, 0, 0, 0, 1)
    np.testing.assert_allclose(found, 0.5 * pfsp + 0.15 * forgotten + 0.35 * itself, atol=1e-5)


def test_main_plays_itself_where_there_is_nothing_to_verify_and_its_past_where_it_loses(filled):
    x = [1.0, 0.8, 0.9, 0.9, 0.9, 0.8]
    found = roles.main(filled, record_of(filled, MAIN, x), SETTINGS)
    np.testing.assert_allclose(
        found, 0.5 * shares(*((1 - np.array(x)) ** 2)) + 0.5 * shares(0, 0, 0, 0, 0, 1), atol=1e-5
    )
    x = [1.0, 0.6, 0.5, 0.9, 0.9, 0.25]
    found = roles.main(filled, record_of(filled, MAIN, x), SETTINGS)
    past = np.array([0, 0.6, 0.5, 0, 0, 0.25])
    expected = 0.5 * shares(*((1 - np.array(x)) ** 2))
    expected = expected + 0.15 * shares(*((past > 0) * (1 - past) ** 2)) + 0.35 * shares(*(past * (1 - past)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("newest", "expected"), [(0.11, (0, 0, 0, 0, 0, 1)), (0.1, (0, 0.5 * 0.5, 0.4 * 0.6, 0, 0, 0.1 * 0.9))]
)
def test_the_main_exploiter_plays_main_unless_that_is_hopeless(filled, newest, expected):
    record = record_of(filled, EXPLOITER, [0.9, 0.5, 0.4, 0.5, 0.5, newest])
    np.testing.assert_allclose(roles.main_exploiter(filled, record, SETTINGS), shares(*expected), atol=1e-5)


def test_the_league_exploiter_plays_all_by_capped_pfsp(filled):
    x = [0.9, 0.7, 0.2, 0.5, 0.0, 1.0]
    found = roles.league_exploiter(filled, record_of(filled, LEAGUE, x), SETTINGS)
    np.testing.assert_allclose(found, shares(0.1, 0.3, 0.5, 0.5, 0.5, 0), atol=1e-5)


ALL, ALL_BUT_ONE = [0.75] * 6, [0.75, 0.75, 0.6, 0.75, 0.75, 0.75]
ONLY_MAIN = [0.1, 0.1, 0.1, 0.1, 0.1, 0.75]


@pytest.mark.parametrize(
    ("role", "rates", "waited", "expected"),
    [
        ("main", ALL, 10, True),
        ("main", ALL, 9, False),  # not half the time
        ("main", ALL_BUT_ONE, 19, False),
        ("main", ALL_BUT_ONE, 20, True),  # long enough
        ("main_exploiter", ONLY_MAIN, 10, True),
        ("main_exploiter", ALL[:5] + [0.7], 10, False),
        ("main_exploiter", [1.0] * 5 + [0.0], 19, False),
        ("league_exploiter", ALL, 10, True),
        ("league_exploiter", ONLY_MAIN, 10, False),
    ],
)
def test_a_snapshot_is_due_once_all_opponents_are_beaten_or_after_a_while(filled, role, rates, waited, expected):
    index = SETTINGS.roles.index(role)
    record = record_of(filled, index, rates)
    taken = int(filled.iteration[record.newest])
    assert bool(ROLES[role].due(filled, record, jnp.int32(taken + waited), SETTINGS)) == expected


def test_who_starts_anew():
    assert [ROLES[role].reset_share(SETTINGS) for role in ("learner", "main", "main_exploiter")] == [0, 0, 1]
    assert ROLES["league_exploiter"].reset_share(SETTINGS) == SETTINGS.reset_share == 0.25


def test_a_learner_that_starts_anew_has_no_results_but_its_snapshots_stay(filled):
    counts = jnp.zeros((3, 9, 3), jnp.int32).at[:, 1, 0].set(5)
    recorded = pool.recorded(filled, counts, jnp.full((3, 9), 1 / 6), SETTINGS)
    after = pool.forgotten(recorded, EXPLOITER)
    assert after.record(EXPLOITER).results.total.sum() == 0 and after.record(EXPLOITER).since.sum() == 0
    assert after.record(MAIN).results.total[1].tolist() == [5, 0, 0]
    assert after.records.newest.tolist() == recorded.records.newest.tolist()
    assert float(after.record(EXPLOITER).elo) == 1000 < float(after.record(LEAGUE).elo)
    jax.tree.map(np.testing.assert_array_equal, after.policies, recorded.policies)
