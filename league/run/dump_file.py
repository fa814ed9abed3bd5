"""The file of a dump: arenas that left the finite numbers, with all that is needed to look at them and to replay them.

It is a NumPy archive (`.npz`, without pickled objects) of arrays by their paths, and a description as JSON. Neither the
run nor its game is needed to read it.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import mujoco
import numpy as np

from league.run.host_state import placed
from mjx_arena.drafts import draft_of
from mjx_arena.trajectory import Film
from mjx_arena.types import ArenaState, View

_FORMAT, _ABOUT = "mjx-arena dump 1", "about"
_BAD = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


class DumpError(RuntimeError):
    """A dump that cannot be read. `str()` is one message for people."""


@dataclass(frozen=True)
class BrokenArena:
    """One arena that broke: its last T control steps, T + 1 states, of which the last one is not finite.

    `film` has poses of the model that pictures show, and rewards and metrics of 0 in its first state, since the step
    before is not kept. `states` are the whole `ArenaState`s, random keys as their data.
    """

    film: Film
    states: Mapping[str, np.ndarray]  # {dotted path, such as physics.qpos: [T + 1, ...]}
    action: np.ndarray  # [T, A, ...] as sampled; the arena clips controls to [-1, 1]
    observation: np.ndarray  # [2, A, O] the one that the last actions came from, and the one after
    iteration: int  # from 1, in which it broke
    rollout_step: int  # control step of the iteration that broke it, from 1
    step: int  # control step of the match that broke it, from 1
    role: str  # of the learner whose arena it is
    device: int
    arena: int  # number of the arena on that device
    players: tuple[str, ...]  # who played in each seat
    nonfinite: tuple[str, ...]  # names of what was not finite after the last step

    @property
    def title(self) -> str:
        """Returns in a line which arena this is."""
        where = f"arena {self.arena} of {self.role}" + (f" on device {self.device}" if self.device else "")
        return f"iteration {self.iteration}, {where}: broke in step {self.step} of its match"

    def state(self, step: int, like: ArenaState) -> ArenaState:
        """Returns a state as its game has it, for `Arena.step`; `like` gives the shapes, `eval_shape(arena.reset)`."""
        paths = [path_of(keys) for keys, _ in jax.tree.leaves_with_path(like)]
        host = jax.tree.unflatten(jax.tree.structure(like), [self.states[path][step] for path in paths])
        return placed(host, like)

    def poses(self) -> np.ndarray:
        """Returns the poses `[T + 1, nq]` to show: one that is not finite is the last one that was."""
        poses = self.film.qpos.copy()
        for step in range(1, len(poses)):
            if not np.isfinite(poses[step]).all():
                poses[step] = poses[step - 1]
        return poses


@dataclass(frozen=True)
class Dump:
    """The first arenas that broke in one iteration of a run."""

    arenas: tuple[BrokenArena, ...]
    settings: Mapping[str, Any]  # of the run, as in its config.yaml
    versions: Mapping[str, str]
    control_dt: float  # s
    view: View  # the camera of pictures, without what a game does to it in functions
    played: np.ndarray | None  # bytes of the model that was stepped, as MuJoCo saves it; None: a game without MuJoCo
    drawn: np.ndarray | None  # bytes of the model that pictures show, where it is another one

    @property
    def iteration(self) -> int:
        """Returns the iteration, from 1."""
        return self.arenas[0].iteration

    def played_model(self) -> mujoco.MjModel:
        """Returns the model that was stepped. Raises DumpError if there is none, or for another MuJoCo."""
        return self._model(self.played)

    def drawn_model(self) -> mujoco.MjModel:
        """Returns the model that pictures show. Raises DumpError if there is none, or for another MuJoCo."""
        return self._model(self.played if self.drawn is None else self.drawn)

    def facts(self, broken: BrokenArena) -> list[str]:
        """Returns lines of text on one of the arenas: who played, what was not finite, and how it came to that."""
        seats = self.view.seats or tuple(f"seat {index}" for index in range(len(broken.players)))
        lines = [
            f"{broken.title}, step {broken.rollout_step} of the iteration; its last {len(broken.film)} steps are kept",
            "  " + ", ".join(f"{seat}: {player}" for seat, player in zip(seats, broken.players, strict=False)),
            f"  not finite after it: {', '.join(broken.nonfinite)}",
        ]
        for name in ("qpos", "qvel"):
            values = broken.states.get(f"physics.{name}")
            if values is not None and values.shape[1]:
                lines.append(f"  {name} before it: {self._extremes(values[-2], name)}")
                largest = " ".join(f"{value:.3g}" for value in np.abs(values).max(1))
                lines.append(f"  largest |{name}| in each state: {largest}")
        actions = "; ".join(str(np.round(action, 2)) for action in broken.action[-1])
        return [*lines, f"  actions: {actions}"]

    def _extremes(self, values: np.ndarray, name: str) -> str:
        """Returns the least and the greatest of `values`, with the names of their joints."""
        try:
            model = self.played_model()
            joints = (
                model.dof_jntid if name == "qvel" else np.searchsorted(model.jnt_qposadr, range(model.nq), "right") - 1
            )
            labels = [f" ({model.joint(joint).name})" for joint in joints]
        except DumpError:
            labels = [""] * len(values)
        least, greatest = int(values.argmin()), int(values.argmax())
        return f"{values[least]:.3g}{labels[least]} to {values[greatest]:.3g}{labels[greatest]}"

    def _model(self, saved: np.ndarray | None) -> mujoco.MjModel:
        if saved is None:
            raise DumpError("the dump holds no model: its game is without MuJoCo")
        try:
            return mujoco.MjModel.from_binary_path("dump.mjb", {"dump.mjb": saved.tobytes()})
        except ValueError as error:
            then = self.versions.get("mujoco")
            raise DumpError(
                f"MuJoCo {mujoco.__version__} cannot read the model of the dump, of MuJoCo {then}"
            ) from error


def path_of(keys: Any) -> str:
    """Returns the dotted path of a leaf."""
    return jax.tree_util.keystr(keys, simple=True, separator=".")


def model_bytes(model: mujoco.MjModel) -> np.ndarray:
    """Returns a model as MuJoCo saves it, `[n]` uint8."""
    saved = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, saved)
    return saved


def save(path: Path, dump: Dump) -> None:
    """Writes a dump as a whole or not at all. Raises OSError."""
    arrays = {name: getattr(dump, name) for name in ("played", "drawn") if getattr(dump, name) is not None}
    described = []
    for number, broken in enumerate(dump.arenas):
        fields = dict(vars(broken))
        film, states = dict(vars(fields.pop("film"))), fields.pop("states")
        parts = {"action": fields.pop("action"), "observation": fields.pop("observation")}
        parts |= {f"states/{name}": values for name, values in states.items()}
        parts |= {f"metrics/{name}": values for name, values in film.pop("metrics").items()}
        parts |= {f"film/{name}": values for name, values in film.items()}
        arrays |= {f"{number}/{name}": values for name, values in parts.items()}
        described.append(fields)
    still = {name: value for name, value in dump.view._asdict().items() if not callable(value)}
    about = {"format": _FORMAT, "arenas": described, "view": still}
    about |= {name: getattr(dump, name) for name in ("settings", "versions", "control_dt")}
    with draft_of(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays, **{_ABOUT: np.array(json.dumps(about))})


def open_dump(path: str | Path) -> Dump:
    """Reads a dump. Raises DumpError for a file that is none, is of another version, or is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _BAD as error:
        reason = getattr(error, "strerror", None) or "it is damaged, or no archive of NumPy's"
        raise DumpError(f"{path} cannot be read as a dump: {reason}") from error
    try:
        about = json.loads(str(arrays.pop(_ABOUT)))
        is_ours = about["format"] == _FORMAT
    except _BAD:
        is_ours = False
    if not is_ours:
        raise DumpError(f"{path} is no dump of this version: it does not say {_FORMAT!r}")
    try:
        arenas = tuple(_arena(fields, _below(arrays, f"{index}/")) for index, fields in enumerate(about["arenas"]))
        view: Any = {key: _as_tuples(value) for key, value in about["view"].items()}
        rest = {name: about[name] for name in ("settings", "versions", "control_dt")}
        return Dump(arenas, view=View(**view), played=arrays.get("played"), drawn=arrays.get("drawn"), **rest)
    except _BAD as error:
        raise DumpError(f"{path} is damaged: {error} is missing or of no use") from error


def _arena(fields: dict[str, Any], arrays: dict[str, np.ndarray]) -> BrokenArena:
    film = Film(**_below(arrays, "film/"), metrics=_below(arrays, "metrics/"))
    parts = {"states": _below(arrays, "states/"), "action": arrays["action"], "observation": arrays["observation"]}
    fields |= {name: tuple(fields[name]) for name in ("players", "nonfinite")}
    return BrokenArena(film=film, **parts, **fields)


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuples(each) for each in value) if isinstance(value, list) else value


def _below(arrays: Mapping[str, np.ndarray], path: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(path): values for name, values in arrays.items() if name.startswith(path)}
