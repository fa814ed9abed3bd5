"""Films a run's policy: `python scripts/record.py run=<run folder> out=film.mp4`; saves trajectories too."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from league.config.command import refuse_other_keys, run_script, take_own_keys
from league.evaluation.pairings import Pairing, load_pairings
from mjx_arena import compilation_cache, devices, opengl
from mjx_arena.trajectory import Film, save
from mjx_arena.validation import SettingError, require

CONF = Path(__file__).resolve().parent.parent / "conf"
PURPOSE = """Films episodes of a run's policy, alone or in matches against itself or its past. Own keys:
  run: ???  # a run's folder, or a file that export.py wrote
  out: film.mp4  # .mp4 for a film, .png for a strip of stills; null: neither
  trajectory: null  # of the first episode: .npz for arrays that replay, .xml for the model with keyframes to look at
  checkpoint: null  # iteration of the policy; null: the newest
  pairing: null  # of conf/evaluation/<task>.yaml; null: the first one against itself
  episodes: 1
  physics: null  # engine to play on; null: the run's own
  seed: 0
  sampled: false  # actions sampled as in training; false: the most likely ones
  captions: true  # time, reward and who plays written into the picture
  seconds: null  # of each episode that are shown, from its start; null: all of it
  stills: 6  # pictures in a strip, spread over the episodes"""
EXAMPLES = (
    "python scripts/record.py run=runs/humanoid_duel/2026-01-31_12-00-00 out=match.png",
    "python scripts/record.py run=runs/stand episodes=3 trajectory=stand.xml",
)

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class RecordSettings:
    run: str
    out: str | None = "film.mp4"
    trajectory: str | None = None
    checkpoint: int | None = None
    pairing: str | None = None
    episodes: int = 1
    physics: str | None = None
    seed: int = 0
    sampled: bool = False
    captions: bool = True
    seconds: float | None = None
    stills: int = 6

    def validate(self) -> None:
        for key in ("episodes", "stills"):
            require(getattr(self, key) >= 1, key, getattr(self, key), "must be at least 1")
        require(self.seconds is None or self.seconds > 0, "seconds", self.seconds, "must be positive, or null")
        for key, endings in (("out", (".mp4", ".png")), ("trajectory", (".xml", ".npz"))):
            path = getattr(self, key)
            known = path is None or Path(path).suffix in endings
            require(known, key, path, f"must end in {' or '.join(endings)}, or be null")
        require(self.out is not None or self.trajectory is not None, "out", None, "give this or trajectory")


def main(overrides: list[str]) -> int:
    own, rest = take_own_keys(overrides, RecordSettings)
    refuse_other_keys(rest)
    own.validate()
    if own.out is not None:
        opengl.platforms()  # refuses what cannot work before anything is played
    devices.configure(1)

    from league.evaluation.evaluation import (
        Evaluation,  # brings in the physics engines: only once the settings are known to work
    )
    from league.evaluation.sources import open_source

    source = open_source(own.run, own.checkpoint, own.physics)
    if source.settings.compilation_cache:
        compilation_cache.enable()
    pairings = load_pairings(CONF, source.settings.task_name, (own.pairing,) if own.pairing else None)
    pairing = pairings[own.pairing] if own.pairing else _against_itself(pairings)
    evaluation = Evaluation(source, devices.make_mesh(1), own.episodes, own.sampled)
    arena, films = evaluation.arena(pairing), evaluation.film(pairing, jax.random.key(own.seed), own.episodes)
    if own.seconds is not None:
        films = [film.first(own.seconds) for film in films]
    lengths = ", ".join(f"{film.time[-1]:.1f} s" for film in films)
    if own.trajectory is not None:
        spec = getattr(arena, "mj_spec", None)
        if spec is None:
            raise SettingError("trajectory", own.trajectory, f"{source.settings.task_name} has no model to save")
        path, played = Path(own.trajectory), arena.physics.model
        engine = (pairing.physics or source.settings.physics).engine
        error = _writing("trajectory", own.trajectory, lambda: save(path, films[0], spec, played, engine))
        print(
            f"wrote {own.trajectory}: {len(films[0]) + 1} states of the first episode; a step of MuJoCo from one of "
            f"them misses the next by {np.median(error):.1g} in the median, and by {error.max():.1g} at worst"
        )
    if own.out is not None:
        names = evaluation.names(pairing) if arena.num_agents > 1 else []
        _writing("out", own.out, lambda: _show(own, Path(str(own.out)), films, arena, names))
        print(f"wrote {own.out}: {len(films)} episodes ({lengths})")
    return 0


def _against_itself(pairings: dict[str, Pairing]) -> Pairing:
    return next((pairing for pairing in pairings.values() if pairing.opponent == "self"), Pairing("self"))


def _show(own: RecordSettings, out: Path, films: list[Film], arena: Any, names: list[str]) -> None:
    """Writes the film or the strip."""
    from mjx_arena.render import FOLLOWING, write_film, write_stills

    view = getattr(arena, "view", FOLLOWING)
    poses = np.concatenate([film.qpos for film in films])
    seats = view.seats or [f"seat {index}" for index in range(len(names))]
    players = list(zip(seats, names, strict=False))
    if out.suffix == ".png":
        chosen = np.linspace(0, len(poses) - 1, own.stills).round().astype(int)
        write_stills(out, arena.mj_model, poses[chosen], view)
    else:
        captions = (film.caption(step, players, view.keys) for film in films for step in range(len(film) + 1))
        write_film(out, arena.mj_model, poses, arena.control_dt, view, captions if own.captions else None)


def _writing(key: str, path: str, write: Callable[[], _Result]) -> _Result:
    """Returns what `write` returns; what stands in its way becomes one message."""
    from mjx_arena.render import RenderError

    try:
        return write()
    except RenderError as error:
        raise SettingError(key, path, str(error)) from error
    except OSError as error:
        raise SettingError(key, path, f"cannot write there ({error.strerror or error})") from error


if __name__ == "__main__":
    run_script(main, PURPOSE, CONF, EXAMPLES)
