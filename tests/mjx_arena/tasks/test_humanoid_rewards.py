"""Rewards of poses by hand, in moments that are known."""

import jax.numpy as jnp
import numpy as np
import pytest

from mjx_arena import SettingError
from mjx_arena.tasks.humanoid_pose import rewards
from mjx_arena.tasks.humanoid_pose.body import HumanoidState
from mjx_arena.tasks.humanoid_pose.rewards import REWARDS, poses, seed, terms


def moment(tilt=0.0, **changes):
    """Standing straight and at rest; `tilt` rad forwards."""
    cos, sin = np.cos(tilt), np.sin(tilt)
    standing = HumanoidState(
        position=jnp.array([0, 0, 1.282]),
        rotation=jnp.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]),
        velocity=jnp.zeros(3),
        spin=jnp.zeros(3),
        com=jnp.array([0.0, 0, 0.85]),
        com_velocity=jnp.zeros(3),
        feet=jnp.array([[0, -0.09, 0.03], [0, 0.09, 0.03]]),
        knees=jnp.array([[0, -0.09, 0.42], [0, 0.09, 0.42]]),
        hinges=jnp.zeros(21),
        hinge_speeds=jnp.zeros(21),
        action=jnp.zeros(21),
        torque=jnp.zeros(21),
        power=jnp.zeros(21),
        time=jnp.float32(2.0),
    )
    return standing.replace(**{name: jnp.asarray(value, jnp.float32) for name, value in changes.items()})


AT_HEIGHT = {height: {"position": [0, 0, height]} for height in (0.7, 0.9, 1.182, 1.4)}


def value(name, **changes):
    return float(REWARDS[name].function(moment(**changes))[0])


@pytest.mark.parametrize("name", REWARDS)
def test_a_reward_is_made_of_the_terms_that_it_logs(name):
    reward, parts = REWARDS[name].function(moment(tilt=0.3, action=np.full(21, 0.5), com_velocity=[0.5, 0.1, 0]))
    together = np.prod if name.startswith("dm_") else np.sum
    assert float(reward) == pytest.approx(together([float(part) for part in parts.values()]), rel=1e-5)


def test_terms_by_hand():
    e = np.exp(-1)
    assert float(terms.height(moment(**AT_HEIGHT[1.182]), 1.282, 0.1)) == pytest.approx(e, rel=1e-4)
    assert float(terms.upright(moment(tilt=np.pi / 6))) == pytest.approx(e, rel=1e-4)
    assert float(terms.over_feet(moment(com=[0.1, 0, 0.85]))) == pytest.approx(e, rel=1e-3)
    assert float(terms.still(moment(com_velocity=[0, 0.3, 0.4]))) == pytest.approx(e, rel=1e-3)
    assert float(terms.effort(moment(action=np.full(21, 0.5)))) == pytest.approx(0.25)
    assert float(terms.forward(moment(com_velocity=[0.6, 5, 5]), 1.5)) == pytest.approx(0.4)
    assert float(terms.ahead(moment(tilt=np.pi / 3))) == pytest.approx(0.5)
    # One knee on the ground, the other 15 cm above where it would be.
    assert float(terms.low_knees(moment(knees=[[0, 0, 0.04], [0, 0, 0.2]]))) == pytest.approx((1 + e) / 2, rel=1e-4)


@pytest.mark.parametrize(("y", "balance"), [(0.0, 1.0), (-0.09, 0.0), (0.2, 0.0), (0.045, 0.5)])
def test_feet_are_in_balance_with_the_mass_between_them(y, balance):
    assert float(terms.foot_balance(moment(com=[0.3, y, 0.85]))) == pytest.approx(balance, abs=1e-5)


def test_standing_straight_and_idle_is_the_best_that_stand_pays():
    assert value("stand") == pytest.approx(1.0, abs=1e-3)
    for change in ({"tilt": 0.2}, AT_HEIGHT[1.182], {"com": [0.05, 0, 0.85]}, {"action": np.ones(21)}):
        assert value("stand", **change) < value("stand") - 0.005


def test_kneel_pays_for_knees_on_the_ground():
    knees = {"knees": [[0, -0.09, 0.05], [0, 0.09, 0.05]]}
    assert value("kneel", **knees, **{"position": [0, 0, poses.KNEELING_HEIGHT]}) == pytest.approx(1.0, abs=1e-3)
    assert value("kneel") < 0.6  # standing
    down = moment(**knees)
    assert bool(poses.kneeling(down)) and not bool(poses.kneeling(moment()))
    assert not bool(poses.kneeling(moment(tilt=np.deg2rad(21), **knees)))
    assert not bool(poses.kneeling(moment(knees=[[0, 0, 0.05], [0, 0, 0.15]])))  # one knee alone


def test_walk_pays_for_the_real_velocity_up_to_its_target():
    at = [value("walk", com_velocity=[speed, 0, 0]) for speed in (-1, 0, 0.75, 1.5, 3)]
    assert at[0] == at[1] < at[2] < at[3] == at[4] == pytest.approx(1.0, abs=1e-3)
    assert value("walk", velocity=[1.5, 0, 0]) == at[1]  # of the torso alone
    assert bool(poses.fast_enough(moment(position=[2.0, 0, 1.2])))  # after 2 s
    assert not bool(poses.fast_enough(moment(position=[1.9, 0, 1.2])))


def test_getup_pays_more_the_higher_the_head():
    found = [value("getup", position=[0, 0, height]) for height in (0.1, 0.4, 0.8, 1.282)]
    assert found == sorted(found) and found[-1] == pytest.approx(1.0, abs=1e-3) and found[0] < 0.2


@pytest.mark.parametrize(("height", "expected"), [(1.19, True), (1.37, True), (1.17, False), (1.39, False)])
def test_standing_is_within_ten_centimetres(height, expected):
    assert bool(poses.standing(moment(position=[0, 0, height]))) == expected


def test_the_seeds_stand_by_hand():
    # 0.4 exp(-2 (0 - 1)^2) + 0.15 + 0.15 + 0.2 + 0.1
    assert value("seed_stand") == pytest.approx(0.4 * np.exp(-2) + 0.6, rel=1e-5)
    assert value("seed_stand", velocity=[1, 0, 0]) == pytest.approx(1.0, rel=1e-5)  # it pays for walking
    assert value("seed_stand", **AT_HEIGHT[0.7]) == 0
    lean = 0.15 * np.exp(-3 * 0.3**2)
    assert value("seed_stand", tilt=0.3) == pytest.approx(0.4 * np.exp(-2) + 0.45 + lean, rel=1e-4)


def test_the_seeds_kneel_by_hand():
    assert value("seed_kneel", **AT_HEIGHT[0.7]) == pytest.approx(0.49, rel=1e-5)
    survival = 0.1 * (1 - np.exp(-1))  # after 2 s
    assert value("seed_kneel") == pytest.approx(0.3 + 0.2 + 0.3 + survival, rel=1e-3)
    power = np.zeros(21)
    power[3] = 10.0
    assert value("seed_kneel", power=power) == pytest.approx(0.5 + 0.3 * np.exp(-1) + survival, rel=1e-3)
    low = 0.3 * (0.7 + 0.3 * np.exp(-5 * (0.9 - 1.282) ** 2)) + 0.5 + survival
    assert value("seed_kneel", **AT_HEIGHT[0.9]) == pytest.approx(low, rel=1e-3)
    assert set(seed.kneel(moment())[1]) >= {"posture", "com", "foot_balance", "energy", "survival"}


def test_the_control_suites_rewards_by_hand():
    assert value("dm_stand") == pytest.approx(1.0, abs=1e-4)
    assert value("dm_walk") == pytest.approx(1 / 6, abs=1e-4)  # nobody moves
    assert value("dm_walk", com_velocity=[0, -0.5, 0]) == pytest.approx((2.5 + 1) / 6, rel=1e-4)  # in any direction
    assert value("dm_run", com_velocity=[6, 8, 0]) == pytest.approx(1.0, abs=1e-4)
    # A quarter of 1.4 m too low costs all but a tenth; full control costs a fifth.
    assert value("dm_stand", position=[0, 0, 1.4 - 0.35 - 0.19]) == pytest.approx(0.1, rel=1e-4)
    assert value("dm_stand", action=np.ones(21)) == pytest.approx(0.8, rel=1e-4)
    # 2 m/s in one direction: (0.1 + 1) / 2.
    assert value("dm_stand", com_velocity=[2, 0, 0]) == pytest.approx(0.55, rel=1e-4)
    upside_down = {"position": [0, 0, 2.0], "tilt": np.pi}
    assert value("dm_stand", **upside_down) == pytest.approx(0.0, abs=1e-6)


def test_a_reward_from_elsewhere_gets_a_name(monkeypatch):
    monkeypatch.setattr(rewards, "REWARDS", dict(REWARDS))
    own = REWARDS["stand"]._replace(hold=10)
    rewards.register("mine", own)
    assert rewards.REWARDS["mine"] is own
    with pytest.raises(SettingError, match="task.reward=stand: another reward has this name"):
        rewards.register("stand", own)
