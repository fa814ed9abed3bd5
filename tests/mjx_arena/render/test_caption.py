"""What films say: clock, players, points and reward terms of an episode, and how they are drawn."""

import numpy as np
import pytest

from mjx_arena.render.caption import Caption, Captions, Player
from mjx_arena.render.overlay import Overlay
from mjx_arena.trajectory import Film
from mjx_arena.types import View

STEPS, DT = 30, 1 / 15
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def goals(pose):
    return int(pose[0] > 1), int(pose[0] < -1)


VIEW = View(seats=("red", "blue"), colours=(RED, BLUE), points=goals, keys=("Q", "O"))


def film(last=0.0):
    """A match whose last pose is `last`, and in which a step pays 1, -2 and nothing."""
    qpos, paid = np.zeros((STEPS + 1, 1)), np.arange(STEPS + 1) > 0
    qpos[-1] = last
    metrics = {"reward/up_right": 1.0 * paid, "reward/fall": -2.0 * paid, "reward/none": 0 * paid, "other": paid}
    metrics |= {"key/Q": np.arange(STEPS + 1) % 2, "key/O": np.zeros(STEPS + 1)}
    nothing = np.zeros((STEPS + 1, 0))
    reward = np.stack([-1.0 * paid, 1.0 * paid], 1)
    return Film(np.arange(STEPS + 1) * DT, qpos, nothing, nothing, nothing, nothing, reward, metrics)


def test_the_clock_says_when_the_match_is():
    assert [Caption(time).clock for time in (0, 41 / 60, 59.999, 75.5)] == ["0:00.00", "0:00.68", "1:00.00", "1:15.50"]


def test_a_caption_tells_of_the_step_that_is_played():
    captions = Captions([film()], VIEW, ["iteration 5", "untrained"])
    start, between, step = captions.at(0, 0.0), captions.at(0, 1.5 * DT), captions.at(0, 2 * DT)
    assert start.terms == (("fall", 0.0), ("up right", 0.0)) and start.total == 0
    assert between.terms == (("fall", -1.0), ("up right", 0.5)) and between.total == step.total == -2
    assert (between.time, step.time) == (1.5 * DT, 2 * DT)
    assert captions.at(0, DT).keys == (("Q", True), ("O", False)) and step.keys[0] == ("Q", False)
    assert [player[:3] for player in step.players] == [("red", "iteration 5", RED), ("blue", "untrained", BLUE)]


def test_points_add_up_over_the_matches():
    captions = Captions([film(2.0), film(2.0), film(-2.0)], VIEW, ["a", "b"])

    def score(match, time):
        return tuple(player.points for player in captions.at(match, time).players)

    assert score(0, 0) == (0, 0) and score(1, 0) == (1, 0) and score(2, 0) == (2, 0)
    last = STEPS * DT - 1 / 60  # the last frame, between the last two poses
    assert score(0, last) == (1, 0) and score(2, last) == (2, 1)


def test_a_game_without_points_or_players_has_none():
    assert Captions([film()], View(), ["a", "b"]).at(0, 1.0).players[1] == Player("seat 1", "b")
    assert Captions([film()], View()).at(0, 1.0).players == ()


def test_what_is_paid_once_does_not_hide_what_is_paid_always():
    rare = film()
    rare.metrics["reward/win"] = np.where(np.arange(STEPS + 1) == STEPS, 50.0, 0)
    captions = Captions([rare], View())
    assert dict(captions.at(0, 1.0).terms)["fall"] == -1 and dict(captions.at(0, STEPS * DT).terms)["win"] == 1


@pytest.fixture(scope="module")
def overlay():
    return Overlay(640, 360)


def written(overlay, caption):
    frame = np.full((360, 640, 3), 100, np.uint8)
    overlay.write(frame, caption)
    return frame


def test_text_stays_in_its_corners_and_bars_show_signs(overlay):
    plain = written(overlay, Caption(1.0))
    assert (plain[:30, :60] != 100).any() and (plain[60:] == 100).all() and (plain[:, 200:] == 100).all()
    full = written(overlay, Caption(1.0, terms=(("cost", -1.0), ("gain", 1.0))))
    corner = full[250:, :200].astype(int)
    green, red = (corner[..., 1] - corner[..., 0] > 60), (corner[..., 0] - corner[..., 1] > 60)
    assert green.sum() > 50 and red.sum() > 50
    assert np.argwhere(red)[:, 1].max() <= np.argwhere(green)[:, 1].min() + 1  # costs to the left, gains to the right


def test_players_have_their_colours(overlay):
    frame = written(overlay, Caption(1.0, (Player("red", "a", RED), Player("blue", "b", BLUE)))).astype(int)
    assert (frame[:120, :60] == (255, 0, 0)).all(-1).any() and (frame[:120, :60] == (0, 0, 255)).all(-1).any()


def test_a_key_that_is_held_is_lit(overlay):
    free, lit = (written(overlay, Caption(1.0, keys=(("Q", held), ("O", False)))) for held in (False, True))
    changed = np.argwhere((free != lit).any(-1))
    assert len(changed) > 300 and np.ptp(changed[:, 1]) < 30 and changed[:, 0].min() > 300  # one key of two


def test_a_plate_is_drawn_again_only_when_it_changes(overlay, monkeypatch):
    drawn = []
    monkeypatch.setattr(overlay, "_players", lambda *_, make=overlay._players: drawn.append(1) or make(*_))
    for time in range(5):
        written(overlay, Caption(time, (Player("red", "once"),)))
    assert len(drawn) == 1


def test_captions_fit_into_the_smallest_frame():
    terms, players = tuple((f"term {k}", 1.0) for k in range(20)), tuple(Player("red", "x" * 30) for _ in range(8))
    frame = np.zeros((64, 64, 3), np.uint8)
    Overlay(64, 64).write(frame, Caption(1.0, players, 1.0, terms, tuple((key, True) for key in "QWOP")))
    assert frame.any()
