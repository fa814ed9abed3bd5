"""Trains a task by self-play: `python scripts/train.py task=humanoid_duel`; `--help` says what can be set."""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from league.config import compose as config
from league.config.command import run_script
from league.config.compose import RunSettings
from league.run import folder as run_folder
from league.run import milestones
from league.run.checkpoints import Checkpoints
from league.run.logs import TensorBoard, open_writers
from league.run.loop import LoopSettings, RunLoop
from league.run.milestones import Milestones
from league.run.video import Filmer
from mjx_arena import compilation_cache, devices
from mjx_arena.physics import engines
from mjx_arena.types import View
from mjx_arena.validation import SettingError

CONF = Path(__file__).resolve().parent.parent / "conf"
PURPOSE = "Trains a task by self-play, into a run folder that it can be resumed from."
EXAMPLES = (
    "python scripts/train.py task=humanoid_duel",
    "python scripts/train.py num_arenas=256 ppo.learning_rate=3e-4 run_dir=runs/small",
    "python scripts/train.py resume=latest iterations=3000",
)


def main(overrides: list[str]) -> int:
    wanted, folder = config.compose(overrides, CONF), None
    settings = wanted
    if wanted.resume is not None:
        settings, folder = _resumed(wanted, config.parse_overrides(overrides))
    devices.configure(settings.devices, getattr(settings.task, "num_dofs", None))
    if settings.compilation_cache:
        compilation_cache.enable()
    settings = dataclasses.replace(settings, devices=config.choose_devices(settings, len(jax.devices())))
    if folder is None or milestones.is_milestone(folder):
        source, folder = folder, run_folder.create(wanted.run_dir, settings.task_name)
        if source is not None:
            milestones.start_from(source, folder)
    with run_folder.locked(folder):
        return train(dataclasses.replace(settings, run_dir=str(folder)), folder)


def _resumed(wanted: RunSettings, written: Mapping[str, str]) -> tuple[RunSettings, Path | None]:
    """Settings to go on with and the folder of what `resume` means: a run, a milestone, or None for a new run."""
    resume, task = str(wanted.resume), wanted.task_name
    if resume == "latest":
        for folder in run_folder.newest(task):
            try:
                return _settings_of(folder, wanted, written), folder
            except SettingError as error:
                print(f"skipped {folder}: {error}")
        print(f"resume=latest: no run under {run_folder.RUNS / task} can be gone on with; starting a new one")
        settings = dataclasses.replace(wanted, resume=None, resume_step=None).resolved()
        settings.validate()
        return settings, None
    if resume.partition(":")[0] == "milestone":
        folder = milestones.choose(resume, task, input if sys.stdin.isatty() else None)
        written = {key: value for key, value in written.items() if key != "run_dir"}
    else:
        folder = run_folder.find(resume)
    return _settings_of(folder, wanted, written), folder


def _settings_of(folder: Path, wanted: RunSettings, written: Mapping[str, str]) -> RunSettings:
    saved = config.from_mapping(run_folder.read_config(folder))
    settings = config.resumed(saved, wanted, written)
    phase = wanted.phase if "phase" in written else None  # else it goes on in the phase that it is in
    return dataclasses.replace(settings, resume=str(folder), resume_step=wanted.resume_step, phase=phase)


def train(settings: RunSettings, folder: Path) -> int:
    """Runs, from the start or from the checkpoint that `settings` name, to the end. Returns the exit status."""
    from league.run.debug import Debug  # brings in the physics engines: only once the settings are known to work
    from league.selfplay import SelfPlay

    console = Console()

    def announce(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    trainer = SelfPlay(settings)
    with Checkpoints(folder / run_folder.CHECKPOINTS, settings.checkpoint_keep_interval) as checkpoints:
        if settings.resume is None:
            state, done = trainer.init(), None
            announce(f"training {settings.task_name} on {_machine()} in {folder}")
            if settings.physics.traits.device != "cpu" and jax.default_backend() == "cpu":
                for name, engine in engines().items():
                    if engine.device == "cpu":
                        announce(f"on a CPU physics={name} is faster: the same arenas on {engine.title}")
        else:
            expected = {"task": settings.task_name}
            state, meta = checkpoints.restore(trainer.state_shape(), settings.resume_step, expected)
            done = int(state.iteration)
            announce(f"resuming {settings.resume} from the checkpoint of iteration {done}")
            if settings.phase is not None:
                state = trainer.in_phase(state, settings.phase)
            for difference in _version_differences(meta["versions"]):
                announce(f"warning: {difference}; numbers may not repeat bit for bit")
            for later in checkpoints.drop_later(done):
                announce(f"dropped the checkpoint of iteration {later}, which comes after it")
            if done >= settings.iterations:
                announce(f"the run is complete; to go on, ask for more than iterations={done}")
                return 0
        phases = trainer.phases
        if len(phases.each) > 1:
            announce(phases.title(int(state.phase.phase)))
        plain = config.to_mapping(dataclasses.replace(settings, resume=None, resume_step=None))
        run_folder.write_config(folder, plain)
        with (
            open_writers(folder, settings.logger, settings.iterations, console, done) as writers,
            _filmer(trainer.arena, settings.logger.render_interval, folder, writers, announce) as filmer,
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
                dump=trainer.dump_nonfinite,
                dump_folder=folder,
                filmer=filmer,
                milestones=Milestones(folder, interval) if (interval := settings.milestone_interval) else None,
                title=lambda phase: (phases.title(phase - 1), phases.label(phase - 1)),
                announce=announce,
            )
            return loop.run(state)


@contextlib.contextmanager
def _filmer(arena, interval: int | None, folder: Path, writers, announce) -> Iterator[Filmer | None]:
    """Films of the run, if they are wanted; the last one is waited for at the end of the block."""
    if interval is None:
        yield None
        return
    view = getattr(arena, "view", View())
    boards = [writer for writer in writers if isinstance(writer, TensorBoard)]

    def show(iteration: int, picture: bytes) -> None:
        for board in boards:
            board.film(iteration, picture)

    filmer = Filmer(arena.mj_model, view, arena.control_dt, interval, folder / run_folder.FILMS, show, announce)
    try:
        yield filmer
    finally:
        filmer.close()


def _machine() -> str:
    found = jax.devices()
    return f"{len(found)} x {found[0].device_kind} ({found[0].platform})"


def _version_differences(then: dict[str, Any]) -> list[str]:
    now = run_folder.versions()
    return [f"{name} was {then.get(name)} and is {now[name]}" for name in now if then.get(name) != now[name]]


if __name__ == "__main__":
    run_script(main, PURPOSE, CONF, EXAMPLES)
