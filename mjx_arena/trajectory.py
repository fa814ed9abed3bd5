"""A recorded episode, and how it is saved: as a MuJoCo model with keyframes, or as arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import mujoco
import numpy as np


class Caption(NamedTuple):
    """What is written into a picture."""

    names: str  # a line each
    values: str  # as many lines
    keys: tuple[tuple[str, bool], ...] = ()  # of a keyboard, and whether each is held


class Film(NamedTuple):
    """One episode of T control steps: its T + 1 states, from the start on."""

    time: np.ndarray  # [T + 1] s
    qpos: np.ndarray  # [T + 1, nq]
    qvel: np.ndarray  # [T + 1, nv]
    ctrl: np.ndarray  # [T + 1, nu] what the motors get from this state on
    reward: np.ndarray  # [T + 1, A] that the step into this state paid
    metrics: dict[str, np.ndarray]  # {name: [T + 1]} what the task measured of it

    def __len__(self) -> int:
        """Its control steps."""
        return len(self.time) - 1

    def first(self, seconds: float) -> "Film":
        """Its beginning, up to so many s."""
        steps = max(int(np.searchsorted(self.time, seconds + 1e-6)), 2)
        metrics = {name: values[:steps] for name, values in self.metrics.items()}
        arrays = {name: getattr(self, name)[:steps] for name in self._fields if name != "metrics"}
        return Film(**arrays, metrics=metrics)

    def caption(self, step: int, players: Sequence[tuple[str, str]] = (), keys: Sequence[str] = ()) -> Caption:
        """Who plays, time, the first agent's return, the terms of the reward and which of `keys` are held in `step`.

        Terms that pay nothing in all of the film are left out.
        """
        lines = [*players, ("time", f"{self.time[step]:.2f} s"), ("return", f"{self.reward[: step + 1, 0].sum():.1f}")]
        for name, values in self.metrics.items():
            if name.startswith("reward/") and values.any():
                lines.append((name.removeprefix("reward/"), f"{values[step]:+.3f}"))
        names, values = zip(*lines, strict=True)
        return Caption(
            "\n".join(names), "\n".join(values), tuple((key, bool(self.metrics[f"key/{key}"][step])) for key in keys)
        )


def save(path: Path, film: Film, spec: mujoco.MjSpec) -> None:
    """Writes `film`: to `.xml` the model of `spec` with a keyframe for each state, to `.npz` the arrays.

    MuJoCo's viewer loads the model; its keyframes hold time, qpos, qvel and ctrl. Raises OSError.
    """
    if path.suffix == ".npz":
        arrays = film._asdict()
        metrics = arrays.pop("metrics")
        arrays |= {f"metrics/{name}": values for name, values in metrics.items()}
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        return
    spec = spec.copy()
    spec.compile()
    model = ElementTree.fromstring(spec.to_xml())
    keys = model.find("keyframe")
    keys = ElementTree.SubElement(model, "keyframe") if keys is None else keys
    for step in range(len(film.time)):
        # Written here and not through the specification, which keeps six digits: too few for contacts.
        state = {name: _numbers(getattr(film, name)[step]) for name in ("time", "qpos", "qvel", "ctrl")}
        ElementTree.SubElement(keys, "key", {"name": f"step {step}"} | state)
    ElementTree.indent(model)
    path.write_text(ElementTree.tostring(model, encoding="unicode") + "\n", encoding="utf-8")


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.9g}" for value in np.ravel(values))
