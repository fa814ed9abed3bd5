"""Arenas that break: what a run keeps of them, the file, and the commands that read it."""

import dataclasses
import json
from types import SimpleNamespace

import jax
import mujoco
import numpy as np
import pytest
from exploding_balls import BAD_STEP, Exploding, ExplodingSettings

from league.commands import record
from league.commands.broken import caption_of
from league.run.console import to_paste
from league.run.debug import Debug
from league.run.dump import Dumps
from league.run.dump_file import DumpError, open_dump, save
from league.selfplay import SelfPlay, first_learner
from league.settings import LeagueSettings, LoggerSettings, RunSettings
from league.watch import replay_session
from mjx_arena import registry
from mjx_arena.physics import PhysicsSettings
from mjx_arena.render import RenderError, render
from mjx_arena.types import View
from mjx_arena.validation import SettingError
from ppo.settings import PPOSettings

HORIZON, KEPT, ARENAS = 4, 6, 24


@pytest.fixture(scope="module")
def run():
    """Four iterations of 4 steps: arenas break in the second one, and those that began anew in the fourth."""
    physics = PhysicsSettings(engine="native")
    settings = RunSettings(
        task=ExplodingSettings(),
        physics=physics,
        ppo=PPOSettings(horizon=HORIZON, epochs=1, num_minibatches=1, actor_hidden=(4,), critic_hidden=(4,)),
        league=LeagueSettings(player_pool_length=3, snapshot_interval=1),
        logger=LoggerSettings(dump_steps=KEPT, dump_files=2),
        num_arenas=ARENAS,
        iterations=4,
        devices=1 if physics.one_device else len(jax.devices()),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "build", Exploding)
        trainer = SelfPlay(settings)
    state, states, rows = trainer.init(), [], []
    for number in range(1, 5):
        state, metrics = trainer.iterate(state)
        states.append(jax.device_get(state))
        metrics.pop("film")
        row = {name: value.item() for name, value in metrics.items()}
        rows.append({"iteration": number} | {n: v for n, v in row.items() if v or not n.startswith("nonfinite/")})
    return SimpleNamespace(trainer=trainer, states=states, rows=rows)


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """A folder with the dumps of the second and of the fourth iteration."""
    folder = tmp_path_factory.mktemp("run")
    dumps = Dumps(run.trainer, {"task": {"name": "exploding_balls"}}, folder, lambda text: None)
    for number in (1, 3):
        dumps.take(run.states[number], run.rows[number])
    return folder


def ahead(state):
    """Which of a state's arenas have their first ball at x > 0, `[N]`."""
    return np.asarray(first_learner(state.matches.arena.physics.qpos))[:, 0] > 0


def test_the_log_counts_what_was_not_finite_by_name(run):
    bad = int(ahead(run.states[0]).sum())  # hardly a ball crosses the middle within three steps
    assert 8 < bad < ARENAS
    names = ("nonfinite_arenas", "nonfinite/qvel", "nonfinite/reward", "nonfinite/reward/push")
    counted = {name: value for name, value in run.rows[1].items() if name.startswith("nonfinite")}
    assert counted == dict.fromkeys(names, bad)
    for row in (run.rows[0], run.rows[2]):
        assert [name for name in row if name.startswith("nonfinite")] == ["nonfinite_arenas"]
        assert row["nonfinite_arenas"] == 0


def test_a_dump_holds_what_happened(run, folder):
    dump = open_dump(folder / "nonfinite-2.npz")
    start, devices = run.states[0], run.trainer.mesh.size
    assert dump.iteration == 2 and len(dump.arenas) == 8 and dump.settings == {"task": {"name": "exploding_balls"}}
    for broken in dump.arenas:
        assert (broken.iteration, broken.rollout_step, broken.step) == (2, BAD_STEP - HORIZON, BAD_STEP)
        assert broken.nonfinite == ("qvel", "reward", "reward/push")
        film = broken.film
        assert len(film) == KEPT and film.time[[0, -1]] == pytest.approx([0.04, 0.28])
        assert np.isnan(film.qvel[-1]).all() and np.isfinite(film.qvel[:-1]).all() and np.isfinite(film.qpos).all()
        assert np.isnan(film.reward[-1]).all() and np.isfinite(film.reward[:-1]).all() and film.reward[1:-1].any()
        assert np.isnan(film.metrics["reward/push"][-1]) and np.isfinite(film.metrics["reward/win"]).all()
        # The states of the first iteration's end are in it, three steps before the end.
        index = broken.device * (ARENAS // devices) + broken.arena
        assert ahead(start)[index]
        kept = jax.tree.map(lambda x, index=index: x[0, index], start.matches.arena)
        before = broken.state(KEPT - 3, run.trainer.shapes[0])
        jax.tree.map(np.testing.assert_array_equal, before.replace(key=None), kept.replace(key=None))
        assert (before.key == kept.key).all()


def test_the_model_replays_the_states_with_the_controls(folder):
    dump = open_dump(folder / "nonfinite-2.npz")
    model = dump.played_model()
    data = mujoco.MjData(model)
    for broken in dump.arenas[:3]:
        film = broken.film
        for step in range(len(film) - 1):
            for name in ("qpos", "qvel", "act", "qacc_warmstart", "ctrl"):
                getattr(data, name)[:] = getattr(film, name)[step]
            mujoco.mj_step(model, data, 4)
            np.testing.assert_array_equal(np.float32(data.qpos), film.qpos[step + 1])
            np.testing.assert_array_equal(np.float32(data.qvel), film.qvel[step + 1])


def test_the_game_replays_the_states_with_the_actions(run, folder):
    dump = open_dump(folder / "nonfinite-2.npz")
    step = jax.jit(run.trainer.arena.step)
    broken, timestep = dump.arenas[0], None
    for number, action in enumerate(broken.action):
        seen = timestep
        after, timestep = step(broken.state(number, run.trainer.shapes[0]), action)
        np.testing.assert_array_equal(after.physics.qvel, broken.film.qvel[number + 1])
        np.testing.assert_allclose(timestep.reward, broken.film.reward[number + 1], atol=1e-6)
    np.testing.assert_allclose(broken.observation, [seen.observation, timestep.observation], atol=1e-6)


def test_a_dump_says_who_played(run, folder):
    """With one learner: it in both seats of mirror arenas, and against the pool's members in the others."""
    learner, snapshot, mirror = "learner after iteration 1", "snapshot of learner after iteration 1", 0
    for broken in open_dump(folder / "nonfinite-2.npz").arenas:
        if broken.arena < run.trainer.num_mirror:
            assert broken.players == (learner, learner)
            mirror += 1
        else:
            matches = first_learner(run.states[0].matches)
            own = run.trainer.arenas_per_device - run.trainer.num_mirror
            seat = matches.seat[broken.device * own + broken.arena - run.trainer.num_mirror]
            assert broken.players[seat] == learner and broken.players[1 - seat] in ("untrained", snapshot)
    assert 0 < mirror < 8


def test_only_the_steps_of_the_match_that_broke_are_kept(run, folder):
    # Those that broke in step 7 of the run began anew, and those among them that are ahead break in step 14.
    dump = open_dump(folder / "nonfinite-4.npz")
    assert {broken.step for broken in dump.arenas} == {BAD_STEP} and dump.arenas[0].rollout_step == 2
    counts = [broken.states["step_count"].tolist() for broken in dump.arenas]
    assert counts == [list(range(BAD_STEP - KEPT, BAD_STEP + 1))] * len(dump.arenas)


def test_a_run_writes_only_so_many_dumps_and_says_how_to_look_at_them(run, tmp_path):
    messages = []
    dumps = Dumps(run.trainer, {}, tmp_path, messages.append)
    for number in (1, 3, 3, 3):
        dumps.take(run.states[number], run.rows[number])
        (tmp_path / "nonfinite-4.npz").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nonfinite-2.npz", "nonfinite-4.npz"]
    first, second = messages
    path = tmp_path / "nonfinite-2.npz"
    count = run.rows[1]["nonfinite_arenas"]
    assert first.startswith(f"iteration 2: arenas not finite: {count} (qvel {count}, reward")
    assert f"  {to_paste('record', f'dump={path}', 'out=broken.mp4')}" in first.splitlines()
    assert f"  {to_paste('watch', f'dump={path}')}" in first.splitlines()
    assert second.startswith("iteration 4: ") and second.endswith("no more dumps than logger.dump_files=2")
    assert dumps.where() == f"arenas that were not finite are in {path}, {tmp_path / 'nonfinite-4.npz'}"


def test_a_dump_that_cannot_be_written_is_a_warning(run, tmp_path):
    messages = []
    Dumps(run.trainer, {}, tmp_path / "gone", messages.append).take(run.states[1], run.rows[1])
    assert len(messages) == 1 and messages[0].startswith("warning: arenas not finite: ")
    assert messages[0].endswith("cannot be written (No such file or directory); training goes on")


def test_debug_prints_what_is_known_of_them(run, tmp_path):
    lines = []
    debug = Debug(run.trainer, ("broken",), tmp_path, lines.append)
    Dumps(run.trainer, {}, tmp_path / "gone", lambda text: None, debug.show_broken).take(run.states[1], run.rows[1])
    assert len([line for line in lines if "broke in step 7 of its match" in line]) == 8
    assert "debug broken:   not finite after it: qvel, reward, reward/push" in lines
    assert any(line.startswith("debug broken:   qvel before it: ") and "(red_x)" in line for line in lines)
    assert all(line.startswith("debug broken: ") for line in lines)


def test_record_prints_the_facts_and_films_the_arenas(folder, tmp_path, capsys):
    dump = folder / "nonfinite-2.npz"
    record.record(record.RecordSettings(dump=str(dump), out=None))
    assert capsys.readouterr().out.count("not finite after it: qvel, reward, reward/push") == 8
    opened = open_dump(dump)
    try:
        next(render(opened.drawn_model(), [opened.arenas[0].film.qpos[0]], 32, 32))
    except RenderError as error:
        pytest.skip(str(error))
    one = tmp_path / "one.npz"
    save(one, dataclasses.replace(opened, arenas=opened.arenas[:1]))
    for name in ("broken.png", "broken.mp4"):
        record.record(record.RecordSettings(dump=str(one), out=str(tmp_path / name), stills=2))
        assert (tmp_path / name).stat().st_size > 1000


def test_a_pose_that_is_not_finite_is_shown_as_the_last_one_that_was(folder):
    broken = open_dump(folder / "nonfinite-2.npz").arenas[0]
    film = dataclasses.replace(broken.film, qpos=np.array([[0.0, 1.0], [2.0, 3.0], [np.nan, 4.0]]))
    assert dataclasses.replace(broken, film=film).poses().tolist() == [[0, 1], [2, 3], [2, 3]]
    caption = caption_of(broken, len(broken.film), View(seats=("red", "blue")))
    assert [player.seat for player in caption.players] == ["red", "blue"] and caption.clock == "0:00.28"
    assert caption.notes[0] == "iteration 2, after step 7" and "not finite: qvel, reward, reward/push" in caption.notes
    assert len(caption_of(broken, len(broken.film) - 1, View()).notes) == 2


def test_a_viewer_steps_through_the_arenas(run, folder, monkeypatch):
    monkeypatch.setattr(replay_session, "arena_of", lambda dump: run.trainer.arena)
    dump = open_dump(folder / "nonfinite-2.npz")
    dump = dataclasses.replace(dump, settings={**dump.settings, "physics": {"engine": "native"}})
    session = replay_session.ReplaySession(dump, 1.0)
    first = session.look()
    assert first.paused and first.frame.time == 0 and "qvel, reward, reward/push" in first.note
    for _ in range(KEPT):
        session.step()
    last, broken = session.look(), dump.arenas[0]
    assert last.ended == "the physics broke; the match does not count" and len(last.history) == KEPT + 1
    np.testing.assert_array_equal([frame.qpos for frame in last.history], broken.film.qpos)
    np.testing.assert_array_equal(last.frame.moves[1].action, broken.action[-1, 1])
    np.testing.assert_array_equal(last.frame.observation, broken.observation[1])
    assert all(np.isfinite(list(frame.terms.values())).all() for frame in last.history)
    session.next_match()
    following = session.look()
    assert following.seed == 1 and following.players == dump.arenas[1].players and following.frame.time == 0
    with pytest.raises(SettingError, match="nobody else can play"):
        session.choose_player(0, "random")


def test_record_takes_a_run_or_a_dump(folder):
    dump = str(folder / "nonfinite-2.npz")
    for settings, expected in (
        ({"dump": dump, "run": "somewhere"}, "give run, or dump, and not both"),
        ({"dump": dump, "trajectory": "film.npz"}, "the dump holds the states"),
        ({"dump": dump, "out": "broken.html"}, "becomes a film, .mp4, or a strip"),
        ({}, "must be given"),
    ):
        with pytest.raises(SettingError, match=expected):
            record.record(record.RecordSettings(**settings))


@pytest.mark.parametrize("kind", ["missing", "text", "cut", "flipped", "other", "earlier", "incomplete"])
def test_what_is_no_dump_is_refused_with_one_message(folder, tmp_path, kind):
    path, content = tmp_path / "dump.npz", (folder / "nonfinite-2.npz").read_bytes()
    if kind == "text":
        path.write_text("nothing")
    elif kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "flipped":
        middle = len(content) // 3
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
    elif kind == "other":
        np.savez(path, about=np.array(json.dumps({"format": "mjx-arena dump 0"})))
    elif kind == "earlier":
        np.savez(path, seen=np.array([True]), action=np.zeros(2))
    elif kind == "incomplete":
        with np.load(folder / "nonfinite-2.npz") as archive:
            np.savez(path, **{name: archive[name] for name in archive.files if name != "0/film/qpos"})
    with pytest.raises(DumpError) as raised:
        open_dump(path)
    message = str(raised.value)
    assert str(path) in message and "\n" not in message
    expected = {"missing": "No such file", "other": "no dump of this version", "earlier": "no dump of this version"}
    assert expected.get(kind, "damaged") in message


def test_a_model_of_another_mujoco_is_refused(folder):
    dump = open_dump(folder / "nonfinite-2.npz")
    other = dataclasses.replace(dump, played=dump.played[:-9], versions={"mujoco": "9.9"})
    with pytest.raises(DumpError, match=r"cannot read the model of the dump, of MuJoCo 9.9"):
        other.drawn_model()
    with pytest.raises(DumpError, match="without MuJoCo"):
        dataclasses.replace(dump, played=None).played_model()
    assert other.facts(dump.arenas[0])  # without names of joints
