"""Recorded episodes, saved as a MuJoCo model with keyframes or as arrays that can be replayed."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import mujoco
import numpy as np

from mjx_arena.drafts import draft_of


@dataclass(frozen=True)
class Film:
    """An episode of T control steps: its T + 1 states, the start included."""

    time: np.ndarray  # [T + 1] s
    qpos: np.ndarray  # [T + 1, nq]
    qvel: np.ndarray  # [T + 1, nv]
    act: np.ndarray  # [T + 1, na]
    qacc_warmstart: np.ndarray  # [T + 1, nv] acceleration that the constraint solver starts from
    ctrl: np.ndarray  # [T + 1, nu] motor controls from this state on
    reward: np.ndarray  # [T + 1, A] paid by the step that led to this state
    metrics: dict[str, np.ndarray]  # {name: [T + 1]} the task's metrics in this state

    def __len__(self) -> int:
        """Returns the number of control steps, T."""
        return len(self.time) - 1

    @property
    def control_dt(self) -> float:
        """Returns the length of a control step, s."""
        return float(self.time[1] - self.time[0])

    def first(self, seconds: float) -> "Film":
        """Returns the beginning of the film, up to `seconds`; at least one control step."""
        steps = max(int(np.searchsorted(self.time, seconds + 1e-6)), 2)
        metrics = {name: values[:steps] for name, values in self.metrics.items()}
        arrays = {name: array[:steps] for name, array in vars(self).items() if name != "metrics"}
        return Film(**arrays, metrics=metrics)


def save(path: Path, film: Film, spec: mujoco.MjSpec, played: mujoco.MjModel, engine: str) -> np.ndarray:
    """Writes `film`, which `engine` played on the model `played`, as `.npz` or `.xml`. Returns `replay_error` `[T]`.

    An `.npz` holds the arrays of `film`, its metrics as `metrics/<name>`, and what a replay needs: `model`, the bytes
    of `played` as MuJoCo saves a model, `timestep` and `control_dt` (s), `substeps` in a control step, `engine`, the
    version `mujoco`, `joint_names` and `actuator_names`. This replays what was played with `physics=native`, to the
    last bit, since that engine keeps states as float32 between control steps, and prints the difference:

        import mujoco
        import numpy as np

        saved = dict(np.load("film.npz"))
        model = mujoco.MjModel.from_binary_path("film.mjb", {"film.mjb": saved["model"].tobytes()})
        data = mujoco.MjData(model)
        for step, ctrl in enumerate(saved["ctrl"][:-1]):
            for name in ("qpos", "qvel", "act", "qacc_warmstart"):
                values = getattr(data, name)
                values[:] = saved[name][0] if step == 0 else np.float32(values)
            data.ctrl[:] = ctrl
            mujoco.mj_step(model, data, int(saved["substeps"]))
            print(saved["time"][step + 1], abs(data.qpos - saved["qpos"][step + 1]).max())

    With `saved[name][step]` in place of `saved[name][0] if ...` each step starts from the recorded state. Another
    version of MuJoCo may not read `model`; the task's arena has it as `physics.model`.

    MuJoCo alone does not replay what a task adds to its controls: pushes and kicks, forces that are no motor's, joint
    ranges or contacts that change during an episode, bodies that are moved. Nor does it repeat the rounding of the
    engines mjx and warp. `replay_error`, which the file holds too, is the resulting difference in each step.

    An `.xml` is the model of `spec`, which is the one that pictures show, with the options of `played` and a keyframe
    of time, qpos, qvel, act and ctrl for each state, for MuJoCo's viewer. It does not replay: a keyframe cannot hold
    qacc_warmstart. The errors returned are then those of steps from the keyframes.

    Raises OSError.
    """
    if path.suffix == ".npz":
        return _save_arrays(path, film, played, engine)
    return _save_keyframes(path, film, spec, played, engine)


def replay_error(model: mujoco.MjModel, film: Film) -> np.ndarray:
    """Steps MuJoCo from each state and returns how far it misses the next one `[T]`: the largest difference in qpos."""
    data, substeps = mujoco.MjData(model), _substeps(film, model)
    error = np.zeros(len(film))
    for step in range(len(film)):
        mujoco.mj_resetData(model, data)
        for name in ("qpos", "qvel", "act", "qacc_warmstart", "ctrl"):
            getattr(data, name)[:] = getattr(film, name)[step]
        mujoco.mj_step(model, data, substeps)
        error[step] = np.abs(data.qpos - film.qpos[step + 1]).max()
    return error


def _save_arrays(path: Path, film: Film, played: mujoco.MjModel, engine: str) -> np.ndarray:
    arrays = {name: array for name, array in vars(film).items() if name != "metrics"}
    arrays |= {f"metrics/{name}": values for name, values in film.metrics.items()}
    model, error = np.empty(mujoco.mj_sizeModel(played), np.uint8), replay_error(played, film)
    mujoco.mj_saveModel(played, None, model)
    with draft_of(path) as draft, draft.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            **arrays,
            replay_error=error,
            model=model,
            timestep=played.opt.timestep,
            control_dt=film.control_dt,
            substeps=_substeps(film, played),
            engine=engine,
            mujoco=mujoco.__version__,
            joint_names=np.array([played.joint(index).name for index in range(played.njnt)], str),
            actuator_names=np.array([played.actuator(index).name for index in range(played.nu)], str),
        )
    return error


def _save_keyframes(path: Path, film: Film, spec: mujoco.MjSpec, played: mujoco.MjModel, engine: str) -> np.ndarray:
    spec = spec.copy()
    for option in ("timestep", "iterations", "ls_iterations"):
        setattr(spec.option, option, getattr(played.opt, option))
    cold = dataclasses.replace(film, qacc_warmstart=np.zeros_like(film.qacc_warmstart))
    spec.compile()
    xml = spec.to_xml()
    error = replay_error(mujoco.MjModel.from_xml_string(xml), cold)
    model = ElementTree.fromstring(xml)
    keys = model.find("keyframe")
    keys = ElementTree.SubElement(model, "keyframe") if keys is None else keys
    fields = ("time", "qpos", "qvel", *(["act"] if played.na else []), *(["ctrl"] if played.nu else []))
    for step in range(len(film.time)):
        # Written here and not through the specification, which keeps six digits: too few for contacts.
        state = {name: _numbers(getattr(film, name)[step]) for name in fields}
        ElementTree.SubElement(keys, "key", {"name": f"step {step}"} | state)
    ElementTree.indent(model)
    note = _NOTE.format(
        steps=len(film),
        control_dt=film.control_dt,
        substeps=_substeps(film, played),
        engine=engine,
        worst=error.max(),
        median=np.median(error),
    )
    with draft_of(path) as draft:
        draft.write_text(f"<!--{note}-->\n{ElementTree.tostring(model, encoding='unicode')}\n", encoding="utf-8")
    return error


_NOTE = """
  The states of one episode, as keyframes from "step 0" on: {steps} control steps of {control_dt:.6g} s, each of
  {substeps} engine steps, played on the engine {engine}.

  These keyframes are to be looked at; they do not replay the episode. A keyframe holds time, qpos, qvel, act and ctrl,
  but neither the acceleration that MuJoCo's solver starts from (qacc_warmstart) nor what the task did besides its
  controls. One control step of MuJoCo from a keyframe misses the next one by up to {worst:.2g} in qpos ({median:.2g} in
  the median), and the misses grow from step to step. Save the episode as .npz to replay it.
"""


def _substeps(film: Film, model: mujoco.MjModel) -> int:
    return round(film.control_dt / model.opt.timestep)


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.9g}" for value in np.ravel(values))
