import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from league.config import compose as config
from league.config.compose import CONF, compose
from league.config.fields import describe, fields_of, unknown_key
from league.config.renamed import RENAMED
from league.settings import RunSettings
from mjx_arena import Arena, TaskSettings, registry
from mjx_arena.physics import native_library
from mjx_arena.registry import settings_type
from mjx_arena.validation import SettingError

ROOT = Path(__file__).resolve().parents[3]


def as_plain(settings):
    return yaml.safe_load(yaml.safe_dump(config.to_mapping(settings)))


def test_every_default_has_a_value_that_works():
    assert compose([]) == RunSettings(task=settings_type("humanoid_duel")())


@pytest.mark.parametrize("name", [path.stem for path in (CONF / "experiment").glob("*.yaml")])
def test_an_experiment_is_a_run_that_works_and_the_command_line_has_the_last_word(name):
    settings = compose([f"experiment={name}"])
    assert settings != compose([])
    assert compose([f"experiment={name}", "iterations=7"]) == dataclasses.replace(settings, iterations=7)


def test_a_task_brings_settings_of_the_learner_and_the_command_line_has_the_last_word():
    settings = compose(["task=ant_sumo"])
    assert settings.task == settings_type("ant_sumo")() and settings.randomize_initial_episode_length
    assert settings.ppo == dataclasses.replace(compose([]).ppo, gamma=0.99, max_log_std=-0.7)
    overrides = ["task=ant_sumo", "ppo.gamma=0.9", "randomize_initial_episode_length=false"]
    own = dataclasses.replace(settings.ppo, gamma=0.9)
    assert compose(overrides) == dataclasses.replace(settings, ppo=own, randomize_initial_episode_length=False)


def test_overrides_reach_nested_keys_with_the_right_types():
    settings = compose(
        ["num_arenas=8", "task.reward.win=2", "task.start_distance=[1,2]", "ppo.actor_hidden=[64]", "run_dir=a b"]
    )
    assert settings.num_arenas == 8 and settings.run_dir == "a b"
    assert settings.task.reward.win == 2.0 and type(settings.task.reward.win) is float
    assert settings.task.start_distance == (1.0, 2.0) and settings.ppo.actor_hidden == (64,)
    assert hash(settings)


def test_total_arena_steps_are_rounded_up_to_iterations():
    settings = compose(["num_arenas=10", "ppo.horizon=6", "ppo.num_minibatches=1", "total_arena_steps=121"])
    assert settings.iterations == 3 and settings.total_arena_steps is None
    assert settings.arena_steps_per_iteration == 60


@pytest.mark.parametrize(
    ("overrides", "key", "value", "remedy"),
    [
        (["ppo.horizn=3"], "ppo.horizn", "3", "did you mean ppo.horizon?"),
        (["horizon=3"], "horizon", "3", "did you mean ppo.horizon?"),
        (["task.reward.wim=3"], "task.reward.wim", "3", "did you mean task.reward.win?"),
        (["+ppo.horizn=3"], "ppo.horizn", "3", "did you mean ppo.horizon?"),
        (["zzz=3"], "zzz", "3", "the keys are task, physics"),
        (["ppo.learning_rate=fast"], "ppo.learning_rate", "fast", "must be a number"),
        (["num_arenas=1.5"], "num_arenas", "1.5", "must be a whole number"),
        (["num_arenas=null"], "num_arenas", "null", "must be a whole number"),
        (["num_arenas="], "num_arenas", "", "must be a whole number"),
        (["devices=two"], "devices", "two", "must be a whole number or null"),
        (["logger.tensorboard=maybe"], "logger.tensorboard", "maybe", "must be true or false"),
        (["ppo.actor_hidden=[a]"], "ppo.actor_hidden", "[a]", "must be a list [..] of whole numbers"),
        (["ppo.actor_hidden=64"], "ppo.actor_hidden", "64", "must be a list [..] of whole numbers"),
        (["task.start_distance=[1,a]"], "task.start_distance", "[1,a]", "must be a list [..] of 2 numbers"),
        (["task.reward=3"], "task.reward", "3", "must be a group"),
        (["ppo=3"], "ppo", "3", "choose one of default"),
        (["num_arenas=0"], "num_arenas", "0", "must be at least 1"),
        (["iterations=0"], "iterations", "0", "must be at least 1"),
        (["total_arena_steps=0"], "total_arena_steps", "0", "must be at least 1"),
        (["iterations=3", "total_arena_steps=9"], "total_arena_steps", "9", "give one of them"),
        (["ppo.minibatch_size=0"], "ppo.minibatch_size", "0", "must be at least 1, or null"),
        (["ppo.minibatch_size=1000"], "ppo.minibatch_size", "1000", "for example 1024, 1152 or 1536"),
        (["ppo.minibatch_size=9", "ppo.num_minibatches=2"], "ppo.minibatch_size", "9", "give one of them"),
        (["seed=-1"], "seed", "-1", "must lie between 0"),
        (["devices=0"], "devices", "0", "must be at least 1, or null"),
        (["checkpoint_interval=0"], "checkpoint_interval", "0", "must be at least 1"),
        (["processes=0"], "processes", "0", "must be at least 1"),
        (["processes=2", "devices=3"], "devices", "3", "must be a multiple of the 2 processes, or null"),
        (["processes=2", "distributed.coordinator=h:1"], "processes", "2", "1 beside distributed.coordinator"),
        (["distributed.coordinator=h"], "distributed.coordinator", "h", "must be host:port, or null"),
        (["distributed.process_id=-1"], "distributed.process_id", "-1", "must not be negative"),
        (["num_arenas=7", "devices=2"], "num_arenas", "7", "multiple of devices=2, for example 6 or 8"),
        (["num_arenas=1", "devices=2"], "num_arenas", "1", "multiple of devices=2, for example 2"),
        (
            ["ppo.learning_rate_schedule=linear", "ppo.target_kl_decay=0.1"],
            *("ppo.target_kl_decay", "0.1", "goes with ppo.learning_rate_schedule=adaptive"),
        ),
        (["ppo.num_minibatches=7"], "ppo.num_minibatches", "7", "for example 6, 8 or 9"),
        (["league.player_pool_length=0"], "league.player_pool_length", "0", "needs 3 slots"),
        (["league.player_pool_length=3", "league.anchors=[a]"], "league.player_pool_length", "3", "needs 4 slots"),
        (["league.roles=[learner,main]"], "league.roles", "('learner', 'main')", "must be [learner], or main"),
        (["league.roles=[champion]"], "league.roles", "('champion',)", "must be of learner, main"),
        (["league=alphastar", "league.mirror_fraction=1"], "league.mirror_fraction", "1.0", "must be 0 with several"),
        (["league.matchmaker=best"], "league.matchmaker", "best", "must be one of latest"),
        (["task=chess"], "task", "chess", "choose one of ant_battle, ant_sumo, car_soccer, humanoid_duel"),
        (["experiment=chess"], "experiment", "chess", "there is no such experiment; choose one of car_soccer"),
        (["task.name=chess"], "task.name", "chess", "write task=chess"),
        (["task.time_limit=0"], "task.time_limit", "0", "must be at least 1"),
        (["physics=bullet"], "physics", "bullet", "choose one of mjx"),
        (["physics.engine=bullet"], "physics.engine", "bullet", "must be one of mjx"),
        (["physics.model.timestep=-1"], "physics.model.timestep", "-1.0", "must be positive"),
        (["num_arenas=1,2"], "num_arenas", "1,2", "one run takes one value"),
        (["num_arenas"], "command line", "num_arenas", "is not key=value"),
        (["--fast"], "command line", "--fast", "is not key=value"),
        (["~num_arenas"], "num_arenas", "", "keys cannot be taken away"),
        (
            ["ppo.actor_hidden=[(1]"],
            "ppo.actor_hidden",
            "[(1]",
            "put text with spaces, brackets or other signs into quotes",
        ),
        (["run=runs/duel"], "run", "runs/duel", "there is no such key; did you mean run_dir?"),
        (["task=car_soccer", "task.phases=[{nme: x}]"], "task.phases", "[{nme: x}]", "nme: there is no such key; did"),
        (
            ["task=car_soccer", "task.phases=[{window: x}]"],
            "task.phases",
            "[{window: x}]",
            "window must be a whole number",
        ),
        (["ppo.learning_rate=inf"], "ppo.learning_rate", "inf", "must be a finite number"),
        (["ppo.clip_epsilon=1e400"], "ppo.clip_epsilon", "inf", "must be a finite number"),
        (["task.reward.win=nan"], "task.reward.win", "nan", "must be a finite number"),
        (["task.start_distance=[0.3,inf]"], "task.start_distance[1]", "inf", "must be a finite number"),
        (["physics.model.timestep=inf"], "physics.model.timestep", "inf", "must be a finite number"),
        (
            ["task=car_soccer", "task.phases=[{rewards: {goal: nan}}]"],
            *("task.phases[0].rewards.goal", "nan", "must be a finite number"),
        ),
        (["ppo.horizon=${nothing}"], "ppo.horizon", "${nothing}", "must be a whole number"),
    ],
)
def test_bad_configurations_name_key_value_and_remedy(overrides, key, value, remedy):
    with pytest.raises(SettingError) as error:
        compose(overrides)
    message = str(error.value)
    assert message.startswith(f"{key}={value}: ") and remedy in message and "\n" not in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("horizn: 3", "ppo.horizn=(in conf/ppo/mine.yaml): there is no such key; did you mean ppo.horizon?"),
        ("horizon: long", "ppo.horizon=(in conf/ppo/mine.yaml): must be a whole number"),
    ],
)
def test_a_bad_yaml_file_is_named(tmp_path, content, message):
    shutil.copytree(CONF, tmp_path, dirs_exist_ok=True)
    (tmp_path / "ppo").mkdir()
    (tmp_path / "ppo" / "mine.yaml").write_text(content)
    with pytest.raises(SettingError) as error:
        compose(["ppo=mine"], conf_dir=tmp_path)
    assert str(error.value) == message


def test_composing_starts_no_backend():
    program = (
        "from league.config.compose import compose; from mjx_arena.validation import SettingError\n"
        "compose([])\n"
        "try: compose(['num_arenas=0'])\n"
        "except SettingError: pass\n"
        "from jax._src import xla_bridge\n"
        "assert not xla_bridge.backends_are_initialized()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_settings_survive_yaml():
    settings = compose(["ppo.learning_rate=1e-5", "task.reward.win=7", "physics.model.timestep=0.002"])
    assert config.from_mapping(as_plain(settings)) == settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizn": 3}, "horizn=3: there is no such key; did you mean ppo.horizon?"),
        ({"num_arenas": "many"}, "num_arenas=many: must be a whole number"),
        ({"task": {"name": "chess"}}, "task=chess: there is no such task"),
        ({"task": None}, "task=None: the settings hold no task"),
    ],
)
def test_damaged_saved_settings_are_refused(change, message):
    with pytest.raises(SettingError) as error:
        config.from_mapping(as_plain(compose([])) | change)
    assert str(error.value).startswith(message)


def test_types_in_words():
    assert describe(int | None) == "a whole number or null"
    assert describe(tuple[float, float]) == "a list [..] of 2 numbers"


@given(st.sampled_from(sorted(fields_of(RunSettings, {"task": settings_type("humanoid_duel")}))), st.data())
def test_a_key_with_one_letter_missing_is_recognised(key, data):
    name = key.rpartition(".")[2]
    if len(name) < 6:
        return
    gap = len(key) - data.draw(st.integers(1, len(name)))
    typo = key[:gap] + key[gap + 1 :]
    known = fields_of(RunSettings, {"task": settings_type("humanoid_duel")})
    if typo not in known:
        assert "did you mean" in str(unknown_key(typo, 1, known))


def test_names_of_before_still_work_on_the_command_line_and_in_saved_settings():
    settings = compose(
        ["league.update_win_rate=0.6", "league.max_update_steps=7", "stagger=true", "league.passive=true"]
    )
    assert (settings.league.snapshot_win_rate, settings.league.snapshot_interval) == (0.6, 7)
    assert settings.randomize_initial_episode_length and settings.league.idle
    saved = as_plain(settings)
    for old, new in RENAMED.items():
        group, _, name = old.rpartition(".")
        where = saved[group] if group else saved
        where[name] = where.pop(new.rpartition(".")[2])
    assert config.from_mapping(saved) == settings


@pytest.mark.parametrize(
    "typed", ["1e5", "007", "off", "1:30", "runs/exp (1)", "/data/a=b", "a b", "it's", "[x]", "{y}"]
)
def test_text_is_what_was_typed(typed):
    assert compose([f"run_dir={typed}"]).run_dir == typed


def test_text_keeps_hydras_own_quotes_null_and_interpolations(monkeypatch):
    monkeypatch.setenv("PLACE", "there")
    assert compose(["run_dir='a b'"]).run_dir == "a b" and compose(["run_dir=null"]).run_dir is None
    assert compose(["run_dir=${oc.env:PLACE}/x"]).run_dir == "there/x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "task: {time_limt: 3}",
            r"task.time_limt=\(in .*ball_sumo.yaml\): there is no such key; did you mean task.time_limit",
        ),
        ("task: {time_limit: long}", r"task.time_limit=\(in .*ball_sumo.yaml\): must be a whole number"),
        ("task: [", "task=ball_sumo: .*ball_sumo.yaml cannot be read"),
        ("num_arenas: 8", "task=ball_sumo: .*ball_sumo.yaml may hold the groups task and evaluation"),
    ],
)
def test_a_bad_yaml_beside_a_game_is_named(tmp_path, own_games, content, message):
    shutil.copy(ROOT / "examples" / "ball_sumo.py", tmp_path)
    (tmp_path / "ball_sumo.yaml").write_text(content)
    with pytest.raises(SettingError, match=message):
        compose([f"game_file={tmp_path / 'ball_sumo.py'}"])


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_yaml_beside_a_game_changes_its_settings(own_games, quote):
    settings = compose([f"game_file={quote}{ROOT / 'examples' / 'ball_sumo.py'}{quote}"])
    assert settings.task_name == "ball_sumo" and settings.task.time_limit == 250
    assert type(settings.task)().time_limit == 300


def test_a_number_is_one_although_another_task_has_text_under_its_key(own_games):
    @dataclasses.dataclass(frozen=True)
    class Settings(TaskSettings):
        name: str = "a_first_one"
        actions: int = 2  # text in car soccer

    class Game(Arena):
        settings_type = Settings

        def reset(self, key, phase=None): ...

        def step(self, state, action): ...

    registry.register(Game)
    assert compose(["task=a_first_one", "task.actions=3"]).task.actions == 3


def test_without_its_library_the_native_engine_runs_on_one_device(monkeypatch):
    assert compose(["physics=native"]).devices is None
    monkeypatch.setattr(native_library, "load", lambda: "there is no compiler")
    assert compose(["physics=native"]).devices == 1
    with pytest.raises(SettingError, match="devices=2: physics=native uses every core from one device here; take 1"):
        compose(["physics=native", "devices=2"])
    assert compose(["physics=native", "processes=2"]).devices == 2  # one in each
    assert compose(["physics=native", "distributed.num_processes=3", "num_arenas=510"]).devices == 3
