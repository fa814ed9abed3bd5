"""Matches between frozen policies in a game where the higher action wins, each recorded at its own end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mjx_arena
from league.evaluation.evaluation import duel, score
from league.evaluation.evaluator import Evaluator, Records, stack
from mjx_arena import devices
from mjx_arena.trajectory import replay_error
from mjx_arena.types import Discrete
from ppo.policy import Policy
from ppo.settings import PPOSettings

MATCHES, LIMIT = 64, 8


class Stage:
    """Evaluators of one variant of the game, and policies whose action is `strength + slope * steps played`."""

    def __init__(self, arena, sampled=False, log_std=0.0, matches=MATCHES):
        settings = PPOSettings(actor_hidden=(), critic_hidden=(), initial_log_std=log_std, min_log_std=log_std)
        self.policy = Policy(arena.observation_size, arena.action, settings)
        self.evaluator = Evaluator(arena, [self.policy], devices.make_mesh(), 16, sampled, tile_rows=8)
        self.matches = matches
        self._fresh = self.policy.init(jax.random.key(0))

    def duel(self, first, second, key):
        return duel(self.evaluator, first, second, self.matches, key)

    def member(self, strength, slope=0.0):
        kernel = jnp.zeros((self.policy.observation_size, 1)).at[-1].set(slope)
        actor = {"params": {"Dense_0": {"kernel": kernel, "bias": jnp.array([float(strength)])}}}
        return self._fresh.replace(params={**self._fresh.params, "actor": actor})


@pytest.fixture(scope="module")
def pair(toy_arena):
    return Stage(toy_arena(2, time_limit=LIMIT))


@pytest.fixture(scope="module")
def three(toy_arena):
    return Stage(toy_arena(3, time_limit=LIMIT))


def test_the_stronger_wins_every_match_from_either_side(pair):
    strong, weak = pair.member(2), pair.member(-1)
    won, records = pair.duel(strong, weak, jax.random.key(0))
    lost, _ = pair.duel(weak, strong, jax.random.key(0))
    assert (won.matches, won.wins, won.draws, won.losses, won.wins_of_decided) == (MATCHES, 1, 0, 0, 1)
    assert (lost.matches, lost.wins, lost.draws, lost.losses, lost.wins_of_decided) == (MATCHES, 0, 0, 1, 0)
    assert won.survival == lost.survival == 0 and bool(records.terminated.all())
    # The same starts with the seats' owners exchanged.
    assert won.mean_length == lost.mean_length
    # Both seats are taken about equally often: 32 of 64, give or take 3.5 standard deviations of 4.
    assert 18 <= int((records.outcome[:, 0] > 0).sum()) <= 46
    np.testing.assert_array_equal(records.outcome.sum(1), 0)


def test_matches_have_the_length_of_the_game(pair):
    _, records = pair.duel(pair.member(1), pair.member(0), jax.random.key(1))
    assert set(np.unique(records.length)) == {2, 3, 4, 5}
    assert records.length.dtype == jnp.int32 and records.length.shape == (MATCHES,)


def test_equal_policies_draw_at_the_time_limit(pair):
    result, records = pair.duel(pair.member(1), pair.member(1), jax.random.key(2))
    assert (result.wins, result.draws, result.losses, result.survival) == (0, 1, 0, 1)
    assert np.isnan(result.wins_of_decided) and result.mean_length == LIMIT
    assert not records.terminated.any() and np.all(np.asarray(records.length) == LIMIT)


def test_every_match_is_recorded_at_its_own_end(pair):
    # The first policy plays 3.5 - t before step t + 1: above the other's 0 in the 2nd to 4th step, below it in the 5th.
    # Were records taken later than a match's end, or all at once, outcome and length would not fit each other.
    result, records = pair.duel(pair.member(3.5, slope=-1.0), pair.member(0), jax.random.key(3))
    length = np.asarray(records.length)
    assert result.wins == pytest.approx((length <= 4).mean()) and result.losses == pytest.approx((length == 5).mean())
    assert 0 < result.losses < 0.5 and result.wins_of_decided == pytest.approx(result.wins)
    first_seat_wins = np.asarray(records.outcome[:, 0]) > 0
    assert 0 < first_seat_wins[length == 5].mean() < 1


def test_a_tie_at_the_end_goes_on_until_it_is_broken(pair):
    # Step t + 1 pits t - 3 against 0: the second leads up to step 3, step 4 is a tie, the first leads from step 5.
    _, records = pair.duel(pair.member(-3, slope=1.0), pair.member(0), jax.random.key(4))
    # So matches of length 4 go on to step 5.
    assert set(np.unique(records.length)) == {2, 3, 5} and bool(records.terminated.all())


@pytest.mark.parametrize("stage", ["pair", "three"])
def test_every_seat_is_played_by_the_member_named_for_it(stage, request):
    stage = request.getfixturevalue(stage)
    agents, strength = stage.evaluator.arena.num_agents, np.array([0.0, 5.0, -2.0, 1.0])
    members = stack([stage.member(value) for value in strength])
    slot = np.random.default_rng(0).integers(0, 4, (MATCHES, agents))
    records = stage.evaluator.play([members], slot, jax.random.key(5))
    played = strength[slot]
    rank = np.sign(played[:, :, None] - played[:, None]).sum(2) / (agents - 1)
    np.testing.assert_array_equal(records.outcome, rank)
    tied = (rank == 0).all(1)
    assert 0 < tied.sum() < len(slot)
    np.testing.assert_array_equal(records.terminated, ~tied)
    assert np.all(np.asarray(records.length)[tied] == LIMIT) and np.all(np.asarray(records.length)[~tied] <= 5)
    # A step's reward is the action, and what the task measures is the mean of all actions.
    np.testing.assert_allclose(records.returns, played * np.asarray(records.length)[:, None])
    np.testing.assert_allclose(records.metrics["toy"], played.mean(1), rtol=1e-6)
    np.testing.assert_array_equal(records.metrics["last/steps"], records.length)


def test_one_against_two_of_a_kind(three):
    # Of three, the winner has +1 and the two losers share -1/2; a loser alone has -1.
    won, records = three.duel(three.member(1), three.member(0), jax.random.key(6))
    lost, _ = three.duel(three.member(0), three.member(1), jax.random.key(6))
    assert (won.wins, won.losses) == (1, 0) and (lost.wins, lost.losses) == (0, 1)
    assert np.unique(records.outcome).tolist() == [-0.5, 1]
    assert set(np.asarray(records.outcome).argmax(1)) == {0, 1, 2}


def test_sampled_actions_make_equal_policies_win_half(toy_arena):
    stage = Stage(toy_arena(2, time_limit=LIMIT), sampled=True, matches=512)
    result, _ = stage.duel(stage.member(1), stage.member(1), jax.random.key(7))
    assert result.draws == 0 and result.wins == pytest.approx(0.5, abs=3.5 * 0.5 / 512**0.5)
    # sqrt(2) apart with a standard deviation of sqrt(2) between them: the normal distribution's 84 %.
    result, _ = stage.duel(stage.member(2**0.5), stage.member(0), jax.random.key(8))
    assert result.wins == pytest.approx(0.841, abs=0.06)


def test_the_same_key_plays_the_same_matches(pair):
    slot = np.tile([0, 1], (MATCHES, 1))
    members = stack([pair.member(1), pair.member(0)])
    one, two, other = (pair.evaluator.play([members], slot, jax.random.key(key)) for key in (9, 9, 10))
    np.testing.assert_array_equal(one.length, two.length)
    assert np.any(one.length != other.length)


def test_masks_hold_in_evaluation_too(toy_arena):
    # Both seats like choice 0 best, then 1, then 2. Who may not play 0 plays 1, and wins: with masks left out, every
    # match would be a tie of zeros.
    arena = toy_arena(2, Discrete(3), masked=True, lengths=(1, 1), time_limit=1)
    settings = PPOSettings(actor_hidden=(), critic_hidden=())
    policy = Policy(arena.observation_size, arena.action, settings)
    state = policy.init(jax.random.key(0))
    actor = {"params": {"Dense_0": {"kernel": jnp.zeros((3, 3)), "bias": jnp.array([2.0, 1.0, 0.0])}}}
    state = state.replace(params={**state.params, "actor": actor})
    evaluator = Evaluator(arena, [policy], devices.make_mesh(), 16, sampled=False)
    _, records = duel(evaluator, state, state, MATCHES, jax.random.key(11))
    # Seats are forbidden different choices: one of three offsets forbids the first seat its favourite, one the second.
    wins = np.asarray(records.outcome[:, 0])
    for outcome in (-1, 0, 1):
        assert 8 <= (wins == outcome).sum() <= 36  # 64 / 3, give or take 3.5 standard deviations of 3.8


def test_films_show_whole_matches_and_nothing_after(pair):
    members = stack([pair.member(1), pair.member(0)])
    slot = jnp.tile(jnp.array([0, 1]), (8, 1))
    films = pair.evaluator.film([members], slot, jax.random.key(12), LIMIT)
    lengths = [len(film) for film in films]
    assert set(lengths) <= {2, 3, 4, 5} and len(set(lengths)) > 1
    for film in films:  # the toy's pose is the number of steps played
        np.testing.assert_array_equal(film.qpos[:, 0], np.arange(len(film) + 1))
        np.testing.assert_array_equal(film.time, np.arange(len(film) + 1))
        # Rewards are the actions, 1 and 0; the start pays nothing.
        np.testing.assert_array_equal(film.reward[1:], np.tile([1.0, 0.0], (len(film), 1)))
        assert not film.reward[0].any() and film.metrics["toy"].shape == (len(film) + 1,)


def test_any_number_of_matches_can_be_filmed(pair):
    members = stack([pair.member(1), pair.member(0)])
    assert len(pair.evaluator.film([members], jnp.tile(jnp.array([0, 1]), (17, 1)), jax.random.key(12), 1)) == 17


def test_a_film_that_ends_before_the_match_shows_all_there_is(pair):
    members = stack([pair.member(1), pair.member(1)])  # lasts until the time limit
    films = pair.evaluator.film([members], jnp.tile(jnp.array([0, 1]), (8, 1)), jax.random.key(13), LIMIT - 2)
    assert [len(film) for film in films] == [LIMIT - 2] * 8


def test_score_by_hand(toy_arena):
    # Two wins, a draw by time and a loss: of three decided matches two are won; (2 + 4 + 6 + 8) / 4 = 5 steps.
    own = np.array([1.0, 0.5, 0.0, -1.0, 1.0])
    records = Records(
        outcome=np.stack([own, -own], 1),
        terminated=np.array([True, True, False, True, True]),
        length=np.array([2, 4, 8, 6, 3]),
        rated=np.ones(5, bool),
        valid=np.array([True, True, True, True, False]),  # physics broke in the last
        returns=np.stack([2 * own, -own], 1),
        metrics={"height": np.array([1.0, 2.0, 3.0, 4.0, np.nan])},
    )
    result = score(np.zeros(5, int), records, toy_arena())
    assert (result.matches, result.wins, result.draws, result.losses) == (4, 0.5, 0.25, 0.25)
    assert result.wins_of_decided == pytest.approx(2 / 3)
    assert (result.survival, result.mean_length) == (0.25, 5)
    assert result.mean_rank == pytest.approx((1 + 1.25 + 1.5 + 2) / 4)
    assert result.mean_return == pytest.approx(0.25) and result.metrics == {"height": 2.5}
    assert score(np.ones(5, int), records, toy_arena()).mean_return == pytest.approx(-0.125)


def test_a_film_holds_what_mujoco_replays_it_from():
    arena = mjx_arena.make("humanoid_duel", "native", drill_share=0.0, shadow_share=0.0)
    assert arena.mj_model.opt.iterations == 2  # few enough for the warm start to matter
    policy = Policy(arena.observation_size, arena.action, PPOSettings(actor_hidden=(), critic_hidden=()))
    evaluator = Evaluator(arena, [policy], devices.make_mesh(), None, sampled=True)
    film = evaluator.film([stack([policy.init(jax.random.key(0))])], np.zeros((1, 2), int), jax.random.key(1), 60)[0]
    assert len(film) > 20 and replay_error(arena.mj_model, film).max() < 1e-6
