"""Matches step by step, players, the clock, and the odds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rock_paper_scissors import BEATS, RockPaperScissors
from scipy.optimize import minimize

from league.watch.clock import Clock
from league.watch.match import Frame, Match, Reel
from league.watch.odds import Odds, fit, lead_of
from league.watch.players import Move, PassivePlayer, PersonPlayer, Player, RandomPlayer, Seen


class Fixed(Player):
    """Always makes one choice, and expects as much."""

    def __init__(self, choice):
        super().__init__(f"always {choice}")
        self.choice, self.seen = choice, []

    def act(self, seen, draw):
        self.seen.append(seen)
        return Move(np.array(self.choice, np.int32), float(self.choice))


@pytest.mark.parametrize("first, second", [(0, 1), (1, 0), (2, 2)])
def test_a_match_is_played_to_its_outcome_by_whoever_sits_there(first, second):
    match = Match(RockPaperScissors(), [Fixed(first), Fixed(2)], seed=3)
    match.players[1] = Fixed(second)  # has sat down since
    assert match.outcome is None and match.frame.moves == () and match.frame.time == 0
    frame = match.step()
    assert match.outcome.tolist() == [BEATS[first, second], -BEATS[first, second]]
    assert [int(move.action) for move in frame.moves] == [first, second]
    assert frame.time == 1.0 and not match.broken
    assert match.start(4).number == 3 and match.outcome is None and match.steps == 0


def test_equal_seeds_play_equal_matches_of_chance():
    def moves(seed):
        match = Match(
            RockPaperScissors(), [RandomPlayer(RockPaperScissors(), 7), PassivePlayer(RockPaperScissors())], 0
        )
        played = [match.start(seed + index) and match.step() for index in range(20)]
        return [int(frame.moves[0].action) for frame in played]

    assert moves(0) == moves(0) and len(set(moves(0))) == 3


def test_random_players_only_make_legal_choices():
    mask = np.array([False, True, True])
    player = RandomPlayer(RockPaperScissors())
    chosen = {int(player.act(Seen(np.ones(1), mask, 0.0), draw).action) for draw in range(50)}
    assert chosen == {1, 2}


def test_a_person_s_keys_go_through_the_game_and_sliders_over_them():
    class Keyed(RockPaperScissors):
        def by_keys(self, held, time, mask, advice):
            return np.array([len(held), advice.sum(), time])

    person = PersonPlayer(Keyed(), Fixed(2))
    person.held, person.sliders = frozenset({"W", "A"}), {1: -0.5}
    move = person.act(Seen(np.ones(1), None, 4.0), 0)
    assert move.action.tolist() == [2, -0.5, 4.0] and move.value == 2.0


def frame(number, time):
    nothing = np.zeros(1)
    return Frame(number, time, nothing, nothing, (), nothing, {}, nothing)


def test_a_reel_keeps_the_last_frames_and_tells_matches_apart():
    reel = Reel(5)
    for number, time in enumerate([0.0, 0.1, 0.2, 0.0, 0.1, 0.2, 0.3]):
        reel.add(frame(number, time))
    assert len(reel) == 5
    assert [each.number for each in reel.last(100)] == [3, 4, 5, 6]
    assert [each.number for each in reel.last(2)] == [5, 6]
    assert [each.number for each in reel.last(100, back=2)] == [3, 4]
    assert [each.number for each in reel.last(100, back=4)] == [2]
    assert reel.back(0).number == 6 and reel.back(3).number == 3 and reel.back(99).number == 2


@pytest.mark.parametrize("speed, expected", [(1.0, 50), (0.1, 5), (8.0, 400)])
def test_a_clock_keeps_to_its_speed(speed, expected):
    clock = Clock(speed)
    steps = sum(clock.due(tick / 60, 0.02, True) for tick in range(61))
    assert steps == pytest.approx(expected, abs=1) and clock.late == 0
    assert clock.rate == pytest.approx(50 * speed, rel=0.1)


def test_a_clock_leaves_out_what_comes_too_late_and_counts_it():
    clock = Clock(1.0)
    clock.due(0.0, 0.02, True)
    steps = clock.due(2.0, 0.02, True)
    assert steps == 12 and clock.late == 87  # of 100 that were due a quarter of a second's worth is played
    assert clock.due(2.02, 0.02, True) in (1, 2)


def test_a_clock_owes_nothing_for_a_pause_or_between_two_matches():
    clock = Clock(1.0)
    clock.due(0.0, 0.02, True)
    clock.paused = True
    assert clock.due(5.0, 0.02, True) == 0
    clock.paused = False
    assert clock.due(5.02, 0.02, False) == 0
    assert clock.due(5.06, 0.02, True) in (1, 2) and clock.late == 0


def test_the_lead_is_over_the_mean_of_the_others():
    assert lead_of([3.0, 1.0], 0) == 2.0 and lead_of([3.0, 1.0], 1) == -2.0
    assert lead_of([3.0, 1.0, 2.0], 0) == 1.5 and lead_of([4.0], 0) == 4.0
    assert lead_of([3.0, None], 0) is None


@settings(deadline=None)  # the check takes longer than the fit
@given(st.lists(st.tuples(st.floats(-500, 500), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=40))
def test_the_fit_is_the_maximum_of_the_likelihood_with_its_ridge(points):
    points, prior = np.array(points), np.array([0.3, 0.0])

    def loss(weights):
        z = weights[0] * points[:, 0] + weights[1]
        return np.sum(np.logaddexp(0, z) - points[:, 1] * z) + 0.5 * np.sum((weights - prior) ** 2)

    found, least = fit(points, prior), minimize(loss, prior, method="Nelder-Mead", tol=1e-9)  # which needs no gradient
    assert loss(found) <= least.fun + 1e-3
    assert np.abs(found).max() < 100


def test_odds_learn_how_much_a_lead_is_worth():
    odds, random = Odds(slope=0.1), np.random.default_rng(0)
    for _ in range(200):
        lead = random.normal(0, 2)
        odds.learn([lead], 1.0 if random.random() < 1 / (1 + np.exp(-2 * lead)) else -1.0)
    assert odds.probability([2.0, 0.0], 0) > 0.95
    assert odds.probability([0.0, 0.0], 0) == pytest.approx(0.5, abs=0.1)
    assert odds.probability([0.0, None], 0) is None
