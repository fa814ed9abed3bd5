"""What a run keeps of arenas that left the finite numbers: files in its folder, and a line on how to look at them."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from league import history
from league.pool import FOREIGN
from league.run import dump_file, team
from league.run.console import to_paste
from league.run.dump_file import BrokenArena, Dump, path_of
from league.run.folder import versions
from league.run.host_state import fetched, placed, plain
from league.selfplay import RunState, SelfPlay
from mjx_arena.arena import Arena
from mjx_arena.trajectory import Film
from mjx_arena.types import ArenaState, Box
from ppo.update import NONFINITE

_PATTERN = "nonfinite-*.npz"


class Dumps:
    """Writes dumps of a run into `folder`, up to `logger.dump_files` of them, and says so through `announce`.

    `settings` are those of the run as plain data. `show` gets each dump, written or not.
    """

    def __init__(
        self,
        trainer: SelfPlay,
        settings: Mapping[str, Any],
        folder: Path,
        announce: Callable[[str], None],
        show: Callable[[Dump], None] | None = None,
    ):
        self._trainer, self._settings, self._folder = trainer, settings, folder
        self._announce, self._show = announce, show
        self._full = False  # whether it has been said that no more are written

    def take(self, state: RunState, row: Mapping[str, float | int]) -> None:
        """Takes the arenas of `state` that broke in the latest iteration in which any did, that of `row`.

        All processes of the run must call it; the first writes. Where that fails, a warning says so.
        """
        if state.matches.history is None:
            return
        broken = fetched(state.matches.history.broken)
        if not team.is_first() or not broken.count.any():
            return
        has_room = len(self._files()) < self._trainer.settings.logger.dump_files
        if has_room or self._show:
            dump = self._dump(broken)
            if has_room:
                self._write(dump, row)
            if self._show:
                self._show(dump)
        if not has_room and not self._full:
            self._full = True
            limit = self._trainer.settings.logger.dump_files
            self._announce(
                f"iteration {row['iteration']}: {_counted(row)}; no more dumps than logger.dump_files={limit}"
            )

    def where(self) -> str:
        """Returns where dumps are, as a part of a sentence."""
        files = self._files()
        return f"arenas that were not finite are in {', '.join(map(str, files))}" if files else "no arena was dumped"

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(_PATTERN), key=lambda path: (len(path.name), path.name))

    def _write(self, dump: Dump, row: Mapping[str, float | int]) -> None:
        path = self._folder / f"nonfinite-{dump.iteration}.npz"
        try:
            dump_file.save(path, dump)
        except OSError as error:
            reason = error.strerror or error
            self._announce(f"warning: {_counted(row)}, and {path} cannot be written ({reason}); training goes on")
            return
        self._announce(
            f"iteration {dump.iteration}: {_counted(row)}; kept the last steps of {len(dump.arenas)}. Look at them by\n"
            f"  {to_paste('watch', f'dump={path}')}\n"
            f"  {to_paste('record', f'dump={path}', 'out=broken.mp4')}"
        )

    def _dump(self, broken: history.Broken) -> Dump:
        """Returns the dump of what the history has kept, arrays of the host `[R, devices, ...]`."""
        arena, model = self._trainer.arena, getattr(self._trainer.arena.physics, "model", None)
        latest, found = broken.iteration.max(), []
        for role, device in np.argwhere(broken.iteration == latest):
            kept = jax.tree.map(lambda x, at=(role, device): x[at], (broken.moments, broken.ends))
            moments, end = map(history.unpacked, kept, self._row())
            ends = jax.tree.map(lambda x: x[:, None], end.state)
            states = jax.tree.map(lambda *x: np.concatenate(x, 1), moments.state, ends)
            shown = jax.device_get(_shown(arena, placed(states, self._trainer.shapes[0]), moments.action))
            for place in range(broken.count[role, device]):
                own = jax.tree.map(lambda x, at=place: x[at], (moments, end, states, shown))
                found.append(self._arena(own, (int(role), int(device), int(latest))))
        found.sort(key=lambda each: each.rollout_step)
        return Dump(
            arenas=tuple(found[: history.KEPT]),
            settings=self._settings,
            versions=versions(),
            control_dt=float(arena.control_dt),
            view=arena.view,
            played=None if model is None else dump_file.model_bytes(model),
            drawn=None if model is arena.mj_model else dump_file.model_bytes(arena.mj_model),
        )

    def _row(self) -> tuple[history.Moment, history.End]:
        """Returns the shapes of what is kept of one arena: of each control step, and of its end."""
        state, timestep = plain(self._trainer.shapes)
        observation, metrics = jnp.zeros((2, *timestep.observation.shape)), jnp.zeros(len(timestep.metrics))
        action = jnp.stack([jnp.asarray(self._trainer.arena.idle_action)] * len(timestep.reward))
        seats, one = jnp.zeros(timestep.reward.shape, jnp.int32), jnp.int32(0)
        moment = history.Moment(state, action, jnp.zeros(timestep.reward.shape), metrics)
        return moment, history.End(state, observation, seats, seats, seats, arena=one, step=one, length=one)

    def _arena(self, own: Any, where: tuple[int, int, int]) -> BrokenArena:
        """Returns an arena that broke, from arrays of the host: its moments, its end, states, and what is shown."""
        (moments, end, states, shown), (role, device, iteration) = own, where
        steps, names = int(end.length), sorted(self._trainer.shapes[1].metrics)
        moments = jax.tree.map(lambda x: x[-steps:], moments)
        states, shown = jax.tree.map(lambda x: x[-steps - 1 :], (states, shown))
        metrics = dict(zip(names, _after_nothing(moments.metrics).T, strict=True))
        nothing = np.zeros((steps + 1, 0))  # of a game that has no MuJoCo
        qvel, act, warmstart = (getattr(states.physics, name, nothing) for name in ("qvel", "act", "warmstart"))
        film = Film(
            time=(int(moments.state.step_count[0]) + np.arange(steps + 1)) * float(self._trainer.arena.control_dt),
            qpos=shown["pose"],
            qvel=qvel,
            act=act,
            qacc_warmstart=warmstart,
            ctrl=shown["ctrl"],
            reward=_after_nothing(moments.reward),
            metrics=metrics,
        )
        players = zip(end.player, end.role, end.snapshot, strict=True)
        return BrokenArena(
            film=film,
            states={path_of(keys): leaf for keys, leaf in jax.tree.leaves_with_path(states)},
            action=moments.action,
            observation=end.observation,
            iteration=iteration,
            rollout_step=int(end.step) + 1,
            step=int(moments.state.step_count[-1]) + 1,
            role=self._trainer.settings.league.roles[role],
            device=device,
            arena=int(end.arena),
            players=tuple(self._player(*each, role, iteration) for each in players),
            nonfinite=tuple(_nonfinite(moments, end, names)),
        )

    def _player(self, slot: int, of: int, snapshot: int, role: int, iteration: int) -> str:
        """Returns who sat in a seat of an arena of the learner `role`: it, or a member of the pool."""
        league = self._trainer.settings.league
        if slot == history.LEARNER:
            return f"{league.roles[role]} after iteration {iteration - 1}"
        if of != FOREIGN:
            return f"snapshot of {league.roles[of]} after iteration {snapshot}"
        anchors = ["untrained", *(["idle"] if league.idle else [])]
        return anchors[slot] if slot < len(anchors) else f"first opponent in slot {slot}"


@functools.partial(jax.jit, static_argnums=0)
def _shown(arena: Arena, states: ArenaState, action: jax.Array) -> dict[str, jax.Array]:
    """Returns `pose` `[B, K + 1, nq]` and `ctrl` `[B, K + 1, nu]`, 0 at the end, of states `[B, K + 1, ...]`."""
    clipped = jnp.clip(action, -1, 1) if isinstance(arena.action, Box) else action
    before = jax.tree.map(lambda x: x[:, :-1], states)
    controls = jax.vmap(jax.vmap(arena.controls))(before, clipped)
    padding = [(0, 0), (0, 1)] + [(0, 0)] * (controls.ndim - 2)
    return {"pose": jax.vmap(jax.vmap(arena.pose))(states), "ctrl": jnp.pad(controls, padding)}


def _nonfinite(moments: Any, end: Any, metrics: list[str]) -> list[str]:
    """Returns the names of what was not finite after the last of `moments`, in the arena's memory too."""
    last = jax.tree.map(lambda x: x[-1:], moments)
    parts = history.looked_at(last, end.state.physics, end.observation[1], metrics)
    parts |= {f"memory.{path_of(keys)}": leaf for keys, leaf in jax.tree.leaves_with_path(end.state.memory)}
    return [name for name, part in parts.items() if not np.isfinite(part).all()]


def _after_nothing(values: Any) -> np.ndarray:
    """Returns `[T + 1, ...]` of what T steps paid `[T, ...]`, with 0 before the first."""
    return np.concatenate([np.zeros_like(values[:1]), values])


def _counted(row: Mapping[str, float | int]) -> str:
    """Returns how many of a row's arenas were not finite, and in which parts."""
    names = {name.removeprefix(NONFINITE): count for name, count in row.items() if name.startswith(NONFINITE)}
    parts = ", ".join(f"{name} {count}" for name, count in names.items())
    return f"arenas not finite: {row['nonfinite_arenas']} ({parts})"
