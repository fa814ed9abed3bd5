"""The command train: trains a new run, or one from its checkpoint, to its end."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from league.config.compose import checked, to_mapping
from league.config.overrides import Override
from league.evaluation.sources import foreign_members
from league.run import folder as run_folder
from league.run import milestones, resume
from league.run.checkpoints import Checkpoints
from league.run.console import open_console
from league.run.debug import Debug
from league.run.dump import dump_nonfinite
from league.run.logs import TensorBoard, Writer, open_writers
from league.run.loop import LoopSettings, RunLoop
from league.run.milestones import Milestones
from league.run.video import VideoRecorder
from league.selfplay import RunState, SelfPlay
from league.settings import RunSettings
from league.split import choose_devices
from mjx_arena import compilation_cache, devices
from mjx_arena.arena import Arena
from mjx_arena.physics import engines
from mjx_arena.validation import require

SETTINGS = RunSettings
PURPOSE = "Trains a task by self-play, into a run folder that it can be resumed from."
EXAMPLES = (
    "python scripts/train.py task=humanoid_duel",
    "python scripts/train.py num_arenas=256 ppo.learning_rate=3e-4 run_dir=runs/small",
    "python scripts/train.py resume=latest iterations=3000",
    "python scripts/train.py -m ppo.learning_rate=3e-4,1e-3 seed=0,1 hydra/launcher=joblib",
    "python scripts/train.py game_file=my_game.py",
)
_CHANGES = "changes.jsonl"


class Result(NamedTuple):
    """How a run ended."""

    folder: Path
    exit_status: int  # 0, or 128 and the number of the signal that ended it
    stopped: bool  # whether a signal ended it before its last iteration
    metrics: dict[str, Any]  # last row of its log; empty if there is none


def train(settings: RunSettings, written: Mapping[str, str] | None = None) -> Result:
    """Trains a new run, or the one that `settings.resume` names, and returns how it ended.

    On resume the run keeps its own settings, but for the keys of `written` (dotted key -> value as text); None: those
    that differ from the defaults. Raises SettingError for settings that cannot work, RunError for a run that cannot go
    on, and CheckpointError for a checkpoint that cannot be read or written.
    """
    resumption = None
    if settings.resume is not None:
        resumption = resume.resolve(settings, _differing(settings) if written is None else written)
        if resumption is None:
            where = run_folder.RUNS / settings.task_name
            print(f"resume=latest: no run under {where} can be gone on with; starting a new one")
    wanted = settings.run_dir
    settings = resumption.settings if resumption else checked(dataclasses.replace(settings, resume=None))
    devices.configure(settings.devices, settings.dofs_in_xla)
    if settings.compilation_cache:
        compilation_cache.enable()
    settings = dataclasses.replace(settings, devices=choose_devices(settings, len(jax.devices())))
    if resumption and not milestones.is_milestone(resumption.folder):
        folder = resumption.folder
    else:
        folder = run_folder.create(wanted, settings.task_name)
        if resumption:
            milestones.start_from(resumption.folder, folder)
    with run_folder.locked(folder):
        settings = dataclasses.replace(settings, run_dir=str(folder))
        return _train(settings, folder, resumption.changes if resumption else {})


def run(settings: RunSettings, written: Mapping[str, Override]) -> float | None:
    """Trains for the command line; returns the metric `objective`. Raises as `train`, and SystemExit after a signal."""
    result = train(settings, {key: override.text for key, override in written.items()})
    if result.stopped:
        raise SystemExit(result.exit_status)
    known = [name for name in result.metrics if not name.startswith("time/")]
    remedy = f"the run is saved, but has no such metric; it has {', '.join(known)}"
    require(not known or settings.objective in known, "objective", settings.objective, remedy)
    return result.metrics.get(settings.objective)


def _train(settings: RunSettings, folder: Path, changes: Mapping[str, tuple[Any, Any]]) -> Result:
    console = open_console()

    def announce(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    trainer = SelfPlay(settings)
    with Checkpoints(folder / run_folder.CHECKPOINTS, settings.checkpoint_keep_interval) as checkpoints:
        if settings.resume is None:
            state, done = trainer.init(foreign_members(settings.league, trainer.policy, settings.task_name)), None
            announce(f"training {settings.task_name} on {_machine()} in {folder}")
            if notice := settings.physics.traits.notice():
                announce(notice)
            if settings.physics.traits.device != "cpu" and jax.default_backend() == "cpu":
                for name, engine in engines().items():
                    if engine.device == "cpu":
                        announce(f"on a CPU physics={name} is faster: the same arenas on {engine.title}")
        else:
            state, done = _restored(trainer, checkpoints, settings, changes, announce)
            if done >= settings.iterations:
                announce(f"the run is complete; to go on, ask for more than iterations={done}")
                return Result(folder, 0, False, _last_row(folder))
            _log_changes(folder, changes, done, announce)
        if len(trainer.phases.each) > 1:
            announce(trainer.phases.title(int(state.phase.phase)))
        plain = to_mapping(dataclasses.replace(settings, resume=None, resume_step=None))
        run_folder.write_config(folder, plain)
        with (
            open_writers(folder, settings.logger, settings.iterations, console, done) as writers,
            _open_recorder(trainer.arena, settings.logger.render_interval, folder, writers, announce) as recorder,
        ):
            seen = list(writers)
            if settings.debug_topics:
                debug = Debug(trainer, settings.debug_topics, folder, announce)
                debug.show(state)
                seen.append(debug)
            loop = RunLoop(
                trainer.iterate,
                LoopSettings(
                    iterations=settings.iterations,
                    arena_steps_per_iteration=settings.arena_steps_per_iteration,
                    log_interval=settings.logger.interval,
                    checkpoint_interval=settings.checkpoint_interval,
                    max_skipped_iterations=settings.ppo.max_skipped_iterations,
                ),
                compile=trainer.compile,
                checkpoints=checkpoints,
                meta={"task": settings.task_name, "settings": plain, "versions": run_folder.versions()},
                writers=seen,
                dump=dump_nonfinite,
                dump_folder=folder,
                recorder=recorder,
                milestones=Milestones(folder, interval) if (interval := settings.milestone_interval) else None,
                title=lambda phase: (trainer.phases.title(phase - 1), trainer.phases.label(phase - 1)),
                announce=announce,
            )
            status = loop.run(state)
        return Result(folder, status, loop.stopped, _last_row(folder))


def _restored(
    trainer: SelfPlay,
    checkpoints: Checkpoints,
    settings: RunSettings,
    changes: Mapping[str, tuple[Any, Any]],
    announce: Callable[[str], None],
) -> tuple[RunState, int]:
    """Returns the state to continue from, and its iteration; on another number of devices, with new matches."""
    shape, expected = trainer.state_shape(), {"task": settings.task_name}
    meta = checkpoints.meta(settings.resume_step)
    before = meta["settings"].get("devices")
    if before == settings.devices:
        state, _ = checkpoints.restore(shape, settings.resume_step, expected)
    else:
        parts = ("iteration", "key", "learner", "pool", "phase")
        kept, _ = checkpoints.restore_parts(
            {name: getattr(shape, name) for name in parts}, settings.resume_step, expected
        )
        state = trainer.init().replace(**kept)
        announce(f"on {settings.devices} devices, not {before}: the matches in play begin afresh")
    done = int(state.iteration)
    announce(f"resuming {settings.resume} from the checkpoint of iteration {done}")
    if "ppo.learning_rate" in changes:
        state = trainer.with_learning_rate(state, settings.ppo.learning_rate)
    if settings.phase is not None:
        state = trainer.in_phase(state, settings.phase)
    for difference in _version_differences(meta["versions"]):
        announce(f"warning: {difference}; numbers may not repeat bit for bit")
    for later in checkpoints.drop_later(done):
        announce(f"dropped the checkpoint of iteration {later}, which comes after it")
    return state, done


def _log_changes(
    folder: Path, changes: Mapping[str, tuple[Any, Any]], iteration: int, announce: Callable[[str], None]
) -> None:
    """Announces the settings that have changed, and appends them to `changes.jsonl`."""
    if not changes:
        return
    for key, (before, now) in changes.items():
        announce(f"from iteration {iteration} on: {key}={now}, was {before}")
    row = {"iteration": iteration, "time": time.strftime("%Y-%m-%d %H:%M:%S"), "changes": changes}
    with (folder / _CHANGES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


@contextlib.contextmanager
def _open_recorder(
    arena: Arena, interval: int | None, folder: Path, writers: list[Writer], announce: Callable[[str], None]
) -> Iterator[VideoRecorder | None]:
    """Opens the run's film recorder, or None if `interval` is; at its end the block waits for the last film."""
    if interval is None or arena.mj_model is None:
        yield None
        return
    boards = [writer for writer in writers if isinstance(writer, TensorBoard)]

    def show(iteration: int, picture: bytes) -> None:
        for board in boards:
            board.film(iteration, picture)

    films = folder / run_folder.FILMS
    recorder = VideoRecorder(arena.mj_model, arena.view, arena.control_dt, interval, films, show, announce)
    try:
        yield recorder
    finally:
        recorder.close()


def _differing(settings: RunSettings) -> dict[str, str]:
    """Returns dotted key -> value as text, for all values that differ from the defaults."""
    before = resume.flat(to_mapping(RunSettings(task=type(settings.task)())))
    return {key: str(now) for key, now in resume.flat(to_mapping(settings)).items() if before.get(key) != now}


def _last_row(folder: Path) -> dict[str, Any]:
    log = folder / run_folder.METRICS
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return json.loads(lines[-1]) if lines else {}


def _machine() -> str:
    available = jax.devices()
    return f"{len(available)} x {available[0].device_kind} ({available[0].platform})"


def _version_differences(then: dict[str, Any]) -> list[str]:
    now = run_folder.versions()
    return [f"{name} was {then.get(name)} and is {now[name]}" for name in now if then.get(name) != now[name]]
