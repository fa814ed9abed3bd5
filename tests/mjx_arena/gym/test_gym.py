"""Arenas as environments of Gymnasium and PettingZoo, by those libraries' own checks."""

import warnings

import jax
import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")
parallel_api_test = pytest.importorskip("pettingzoo.test").parallel_api_test

from gymnasium.utils.env_checker import check_env  # noqa: E402

from league.evaluation import policy_file  # noqa: E402
from mjx_arena import SettingError, list_tasks  # noqa: E402
from mjx_arena.gym import ArenaEnv, ArenaParallelEnv, ArenaVectorEnv, env_id  # noqa: E402
from mjx_arena.tasks.car_soccer import actions  # noqa: E402
from ppo.policy import Policy  # noqa: E402
from ppo.settings import PPOSettings  # noqa: E402


def test_every_task_has_an_id():
    assert env_id("ant_sumo") == "mjx_arena/AntSumo-v0"
    for task in list_tasks():
        assert gymnasium.spec(env_id(task)).kwargs == {"task": task}


@pytest.mark.parametrize("task", ["qwop", "humanoid_duel"])
def test_gymnasiums_checker_finds_nothing(task):
    env = gymnasium.make(env_id(task))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(infinity|np.inf|render).*")
        check_env(env.unwrapped, skip_render_check=True)


def test_a_seed_decides_an_episode_and_a_match_ends_with_its_outcome():
    env = ArenaEnv("qwop")

    def play(seed):
        seen, info = env.reset(seed=seed)
        rewards, rng = [], np.random.default_rng(0)
        for _ in range(400):
            seen, reward, terminated, truncated, info = env.step(rng.integers(9))
            rewards.append(reward)
            if terminated or truncated:
                break
        assert terminated and info["outcome"] == -1 and "key/Q" in info
        return rewards

    first = play(1)
    assert first == play(1) and first != play(2)


def test_an_opponent_plays_the_other_seat_and_is_idle_without_one():
    heights = {}
    for name, opponent in (("passive", None), ("wild", lambda seen, mask, key: 1.0 + 0 * seen[..., :4])):
        env = ArenaEnv("humanoid_duel", opponent=opponent, drill_share=0.0, shadow_share=0.0, start_noise=0.0)
        env.reset(seed=3)
        for _ in range(12):
            env.step(np.zeros(4, np.float32))
        heights[name] = np.asarray(env._state.physics.qpos).reshape(2, -1)[:, 7:]
    assert np.allclose(heights["passive"][0], heights["passive"][1], atol=0.2)
    assert np.abs(heights["wild"][1] - heights["passive"][1]).max() > 0.3


def test_a_policy_from_a_file_plays_the_other_seat(tmp_path):
    arena = ArenaEnv("humanoid_duel", drill_share=0.0).arena
    policy = Policy(arena.observation_size, arena.action, PPOSettings(actor_hidden=(8,), critic_hidden=(8,)))
    policy_file.save(tmp_path / "p.npz", policy, policy.init(jax.random.key(0)), {})
    asked = []

    def opponent(seen, mask, key):
        asked.append(seen.shape)
        return policy_file.player(tmp_path / "p.npz")(seen, mask, key)

    env = ArenaEnv("humanoid_duel", opponent=opponent, drill_share=0.0)
    env.reset(seed=0)
    env.step(np.zeros(4, np.float32))
    many = ArenaVectorEnv("humanoid_duel", 4, opponent=opponent, drill_share=0.0)
    many.reset(seed=0)
    assert np.isfinite(many.step(np.zeros((4, 4), np.float32))[0]).all()
    assert asked == 2 * [(1, arena.observation_size)]


def test_stable_baselines3_trains_on_it():
    stable_baselines3 = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_util import make_vec_env

    model = stable_baselines3.PPO("MlpPolicy", make_vec_env(env_id("qwop"), n_envs=2), n_steps=32, batch_size=32)
    before = [parameter.clone() for parameter in model.policy.parameters()]
    model.learn(64)
    assert any((old != new).any() for old, new in zip(before, model.policy.parameters(), strict=True))


def test_many_arenas_are_one_environment_of_stable_baselines3():
    stable_baselines3 = pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.vec_env import VecMonitor

    from mjx_arena.gym.sb3 import ArenaVecEnv

    many = VecMonitor(ArenaVecEnv("qwop", 8, time_limit=20))
    many.seed(3)
    first = many.reset()
    many.seed(3)
    np.testing.assert_array_equal(many.reset(), first)
    for _ in range(20):
        seen, _, ended, infos = many.step(np.zeros(8, int))
    assert ended.all() and all(info["TimeLimit.truncated"] for info in infos)
    assert not np.array_equal(infos[0]["terminal_observation"], seen[0]) and infos[0]["episode"]["l"] == 20
    stable_baselines3.PPO("MlpPolicy", many, n_steps=16, batch_size=32).learn(128)
    for refused in (lambda: many.set_attr("task", "ant_sumo"), lambda: many.env_method("render")):
        with pytest.raises(AttributeError, match="arenas"):
            refused()


def test_the_learner_is_never_the_dummy_of_a_drill():
    env = ArenaEnv("humanoid_duel", drill_share=1.0, shadow_share=0.0)
    for seed in range(8):
        env.reset(seed=seed)
        assert not env.step(np.zeros(4, np.float32))[2]


@pytest.fixture(scope="module")
def vector():
    return gymnasium.make_vec(env_id("qwop"), num_envs=8, bank_steps=4)


def test_many_arenas_reset_in_the_step_that_ends_them(vector):
    seen, _ = vector.reset(seed=5)
    assert seen.shape == (8, 60) and vector.observation_space.contains(seen)
    rng, ended = np.random.default_rng(0), 0
    for _ in range(60):
        seen, reward, terminated, truncated, info = vector.step(rng.integers(0, 9, 8))
        done = terminated | truncated
        assert reward.shape == (8,) and vector.observation_space.contains(seen)
        if done.any():
            ended += done.sum()
            np.testing.assert_array_equal(info["_final_obs"], done)
            assert all((final is not None) == end for final, end in zip(info["final_obs"], done, strict=True))
            index = done.argmax()
            assert not np.array_equal(info["final_obs"][index], seen[index])
            assert np.all(info["final_info"]["outcome"][done] == -1)
            assert np.all(info["final_info"]["last/distance"][done] != 0)
    assert ended > 8


def test_one_of_many_steps_as_one_alone_does(vector):
    alone = ArenaEnv("qwop")
    first, _ = vector.reset(seed=7)
    alone.reset(seed=0)
    alone._state = jax.tree.map(lambda leaf: leaf[3], vector.unwrapped._state)
    actions = np.arange(8)
    many = vector.step(actions)
    one = alone.step(actions[3])
    np.testing.assert_allclose(many[0][3], one[0], atol=1e-6)
    assert many[1][3] == pytest.approx(one[1], abs=1e-5)


@pytest.mark.parametrize("task", ["humanoid_duel", "ant_battle"])
def test_pettingzoos_checker_finds_nothing(task):
    env = ArenaParallelEnv(task, time_limit=40)
    assert len(env.possible_agents) == env.arena.num_agents > 1
    parallel_api_test(env, num_cycles=100)


def test_settings_that_cannot_work_are_refused_by_name():
    with pytest.raises(SettingError, match="task.colour=red: there is no such setting; choose of action_set, fall"):
        ArenaEnv("qwop", colour="red")
    with pytest.raises(SettingError, match="task.frames_per_step=0"):
        ArenaVectorEnv("qwop", frames_per_step=0)


@pytest.mark.slow
def test_an_idle_car_does_not_drive():
    env = ArenaEnv("car_soccer", start="kickoff")
    env.reset(seed=0)
    before = np.asarray(env._state.physics.qpos).reshape(3, 7)
    for _ in range(15):
        env.step(actions.IDLE)
    after = np.asarray(env._state.physics.qpos).reshape(3, 7)
    assert np.abs(after - before)[:, :2].max() < 0.05  # m


@pytest.mark.slow
def test_agents_that_are_left_out_are_idle_too():
    env = ArenaParallelEnv("car_soccer", start="kickoff")
    env.reset(seed=0)
    before = np.asarray(env._state.physics.qpos)
    for _ in range(15):
        env.step({})
    assert np.abs(np.asarray(env._state.physics.qpos) - before).max() < 0.05


def test_gymnasiums_own_wrappers_take_many_arenas():
    many = ArenaVectorEnv("qwop", 8, time_limit=20, autoreset_mode=gymnasium.vector.AutoresetMode.NEXT_STEP)
    wrapped = gymnasium.wrappers.vector.NormalizeObservation(many)
    wrapped.reset(seed=1)
    rng, waiting, ended = np.random.default_rng(0), np.zeros(8, bool), 0
    for _ in range(60):
        before = many._state.step_count
        seen, reward, terminated, truncated, info = wrapped.step(rng.integers(0, 9, 8))
        assert not (reward[waiting].any() or (terminated | truncated)[waiting].any())
        np.testing.assert_array_equal(np.asarray(many._state.step_count)[waiting], 0)
        assert (np.asarray(before)[waiting] == 0).all()
        waiting = terminated | truncated
        np.testing.assert_array_equal(info["_outcome"], waiting)
        ended += waiting.sum()
    assert ended > 8


def test_both_ways_of_beginning_anew_play_the_same_matches():
    modes = [gymnasium.vector.AutoresetMode.SAME_STEP, gymnasium.vector.AutoresetMode.NEXT_STEP]
    same, following = (ArenaVectorEnv("qwop", 4, time_limit=5, autoreset_mode=mode) for mode in modes)
    np.testing.assert_array_equal(same.reset(seed=2)[0], following.reset(seed=2)[0])
    for step in range(5):
        one, other = same.step(np.full(4, step)), following.step(np.full(4, step))
        np.testing.assert_array_equal(one[1], other[1])
    assert one[3].all() and other[3].all()
    np.testing.assert_array_equal(np.stack(one[4]["final_obs"]), other[0])
    np.testing.assert_array_equal(one[0], following.step(np.zeros(4, int))[0])


def test_pictures_of_many_agents_are_taken_from_where_the_game_wants_them(monkeypatch):
    views = []
    monkeypatch.setattr("mjx_arena.gym.parallel.render", lambda model, poses, view: views.append(view) or iter(poses))
    env = ArenaParallelEnv("car_soccer", render_mode="rgb_array")
    env.reset(seed=0)
    env.render()
    assert views == [env.arena.view] and views[0].steer is not None


def test_a_seed_draws_from_the_generator_that_wrappers_expect():
    env = ArenaParallelEnv("ant_sumo")
    env.reset(seed=4)
    assert isinstance(env.unwrapped.np_random, np.random.Generator)
