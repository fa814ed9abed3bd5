"""The command train: trains a new run, or one from its checkpoint, to its end."""

import contextlib
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from league.config.compose import checked, from_mapping, to_mapping
from league.config.overrides import Override
from league.evaluation.sources import foreign_members
from league.run import folder as run_folder
from league.run import milestones, processes, resume, team
from league.run.checkpoints import CheckpointError, Checkpoints
from league.run.console import open_console, to_paste
from league.run.debug import Debug
from league.run.dump import Dumps
from league.run.logs import TensorBoard, Writer, open_writers
from league.run.loop import LoopSettings, RunError, RunLoop
from league.run.milestones import Milestones
from league.run.restore import log_changes, restored
from league.run.trackers import open_trackers, require_installed
from league.run.video import VideoRecorder
from league.selfplay import SelfPlay, lasting
from league.settings import DistributedSettings, RunSettings
from league.split import choose_devices
from mjx_arena import compilation_cache, devices
from mjx_arena.arena import Arena
from mjx_arena.physics import engines
from mjx_arena.validation import SettingError, require

SETTINGS = RunSettings
PURPOSE = "Trains a task by self-play, into a run folder that it can be resumed from."
EXAMPLES = (
    "python scripts/train.py task=humanoid_duel",
    "python scripts/train.py num_arenas=256 ppo.learning_rate=3e-4 run_dir=runs/small",
    "python scripts/train.py resume=latest iterations=3000",
    "python scripts/train.py -m ppo.learning_rate=3e-4,1e-3 seed=0,1 hydra/launcher=joblib",
    "python scripts/train.py game_file=my_game.py",
    "python scripts/train.py distributed.coordinator=host:7777 distributed.num_processes=2 distributed.process_id=0",
)
_WATCH_SECONDS = 3.0  # in which the watch over processes on this machine names one that has died
_REFUSED, _FAILED = 2, 1  # statuses of the command line


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
    place = team.place_of(settings.distributed)
    if place.index > 0:
        return follow(place, settings.devices, settings.dofs_in_xla, settings.compilation_cache)
    resumption = None
    if settings.resume is not None:
        resumption = resume.resolve(settings, _differing(settings) if written is None else written)
        if resumption is None:
            where = run_folder.RUNS / settings.task_name
            print(f"resume=latest: no run under {where} can be gone on with; starting a new one")
    wanted = settings.run_dir
    settings = resumption.settings if resumption else dataclasses.replace(settings, resume=None)
    if place.count > 1:  # a launcher may know what the settings do not say
        distributed = dataclasses.replace(settings.distributed, num_processes=place.count)
        settings = dataclasses.replace(settings, distributed=distributed)
    settings = checked(settings)
    require_installed(settings.logger.trackers)
    how = (settings.devices, settings.dofs_in_xla, settings.compilation_cache)
    with processes.others(settings.processes, "league.commands.follow", {"how": how}) as others:
        place = others.place if settings.processes > 1 else place
        _join(place, *how)

        def plan() -> dict[str, Any]:
            devices = choose_devices(settings, len(jax.devices()), place.count)
            if resumption and not milestones.is_milestone(resumption.folder):
                folder = resumption.folder
            else:
                folder = run_folder.create(wanted, settings.task_name)
                if resumption:
                    milestones.start_from(resumption.folder, folder)
            chosen = dataclasses.replace(settings, devices=devices, run_dir=str(folder))
            return {"settings": to_mapping(chosen), "changes": resumption.changes if resumption else {}}

        with _together():
            told = team.told(plan)
            settings = from_mapping(told["settings"])
            folder = Path(told["settings"]["run_dir"])
            others.last_words = functools.partial(last_words, folder)
            with run_folder.locked(folder):
                result = _train(settings, folder, told["changes"])
            team.leave()
    return result


def follow(
    place: team.Place,
    num_devices: int | None,
    num_dofs: int | None,
    cache: bool,
    told_folder: Callable[[Path], None] = lambda folder: None,
) -> Result:
    """Trains as a further process of a run, which the first one describes; calls `told_folder` with its folder."""
    _join(place, num_devices, num_dofs, cache)
    with _together():
        told = team.told(dict)
        settings = from_mapping(told["settings"])
        folder = Path(told["settings"]["run_dir"])
        told_folder(folder)
        result = _train(settings, folder, told["changes"])
        team.leave()
    return result


def _join(place: team.Place, num_devices: int | None, num_dofs: int | None, cache: bool) -> None:
    """Sets up JAX for this process's part of the devices, and waits for the other processes."""
    devices.configure(None if num_devices is None else num_devices // place.count, num_dofs)
    if cache:
        compilation_cache.enable()
    team.join(place)


def last_words(folder: Path) -> str:
    """Returns what is left of a run that has ended early, to follow after the reason."""
    steps = run_folder.finished_steps(folder)
    if not steps:
        return "; there is no checkpoint yet"
    return f"; the last checkpoint is of iteration {steps[-1]}, go on from it by resume={folder}"


def run(settings: RunSettings, written: Mapping[str, Override]) -> float | None:
    """Trains for the command line; returns the metric `objective`. Raises as `train`, and SystemExit after a signal."""
    try:
        result = train(settings, {key: override.text for key, override in written.items()})
    except BaseException as error:
        team.abandon(_REFUSED if isinstance(error, SettingError | CheckpointError) else _FAILED)
        raise
    if result.stopped:
        raise SystemExit(result.exit_status)
    known = [name for name in result.metrics if not name.startswith("time/")]
    remedy = f"the run is saved, but has no such metric; it has {', '.join(known)}"
    require(not known or settings.objective in known, "objective", settings.objective, remedy)
    return result.metrics.get(settings.objective)


def _train(settings: RunSettings, folder: Path, changes: Mapping[str, tuple[Any, Any]]) -> Result:
    """Trains in `folder`, which only the first process of the run uses."""
    first = team.is_first()
    console = open_console()

    def announce(text: str) -> None:
        if first:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    trainer = SelfPlay(settings)
    with contextlib.ExitStack() as stack:
        checkpoints = None
        if first:
            kept = Checkpoints(folder / run_folder.CHECKPOINTS, settings.checkpoint_keep_interval)
            checkpoints = stack.enter_context(kept)
        if settings.resume is None:
            state, done = trainer.init(foreign_members(settings.league, trainer.policy, settings.task_name)), None
            announce(f"training {settings.task_name} on {_machine()} in {folder}")
            announce(f"watch it from its first checkpoint on: {to_paste('watch', f'run={folder}')}")
            if notice := settings.physics.traits.notice():
                announce(notice)
            if settings.physics.traits.device != "cpu" and jax.default_backend() == "cpu":
                for name, engine in engines().items():
                    if engine.device == "cpu":
                        announce(f"on a CPU physics={name} is faster: the same arenas on {engine.title}")
        else:
            state, done = restored(trainer, checkpoints, settings, changes, announce)
            if done >= settings.iterations:
                announce(f"the run is complete; to go on, ask for more than iterations={done}")
                return Result(folder, 0, False, _last_row(folder))
            log_changes(folder, changes, done, announce)
        if len(trainer.phases.each) > 1:
            announce(trainer.phases.title(int(state.phase.phase)))
        kept_settings = to_mapping(
            dataclasses.replace(settings, resume=None, resume_step=None, distributed=DistributedSettings())
        )
        seen: list[Writer] = []
        recorder = trackers = None
        if first:
            run_folder.write_config(folder, kept_settings)
            seen += stack.enter_context(open_writers(folder, settings.logger, settings.iterations, console, done))
            recorder = stack.enter_context(
                _open_recorder(trainer.arena, settings.logger.render_interval, folder, seen, announce)
            )
            trackers = stack.enter_context(
                open_trackers(folder, settings.logger, kept_settings, done is not None, announce)
            )
            seen.append(trackers)
        show_broken = None
        if settings.debug_topics:
            debug = Debug(trainer, settings.debug_topics, folder, announce)
            debug.show(state)
            seen.append(debug)
            show_broken = debug.show_broken if "broken" in settings.debug_topics else None
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
            meta={"task": settings.task_name, "settings": kept_settings, "versions": run_folder.versions()},
            writers=seen,
            dumps=Dumps(trainer, kept_settings, folder, announce, show_broken),
            lasting=lasting,
            recorder=recorder,
            milestones=Milestones(folder, interval) if (interval := settings.milestone_interval) else None,
            title=lambda phase: (trainer.phases.title(phase - 1), trainer.phases.label(phase - 1)),
            announce=announce,
        )
        status = loop.run(state)
        if trackers:
            trackers.stopped = loop.stopped
    if not loop.stopped:
        for purpose, line in (
            ("watch it", to_paste("watch", f"run={folder}")),
            ("rate it", to_paste("evaluate", f"run={folder}")),
            ("export it", to_paste("export", f"run={folder}", f"out={settings.task_name}.npz")),
        ):
            announce(f"{purpose + ':':10} {line}")
    return Result(folder, status, loop.stopped, _last_row(folder))


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """Runs a block of all processes; where one is lost meanwhile, raises RunError, unless its watch ends all first."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if jax.process_count() == 1 or not team.is_of_runtime(error):
            raise
        time.sleep(_WATCH_SECONDS)
        reason = str(error).splitlines()[0]
        raise RunError(f"process {jax.process_index()} has lost another process of the run ({reason})") from error


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
