"""MuJoCo in C from within a compiled program by way of Python, on machines without a C++ compiler."""

import math
import threading

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError

from mjx_arena.devices import available_cores
from mjx_arena.types import PhysicsState

# A simulation that raises one of these has diverged.
_LOST = [
    int(kind)
    for kind in (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
]


class CallbackStep:
    """Steps of `model` by `mujoco.batch.Batch` in a callback of the program."""

    def __init__(self, model: mujoco.MjModel):
        self._model = model
        self._batches: dict[tuple, Batch] = {}
        self._lock = threading.Lock()  # a batch serves one call at a time

    def __call__(
        self,
        n_substeps: int,
        state: PhysicsState,
        ctrl: jax.Array,
        applied: jax.Array,
        fields: dict[str, jax.Array],
    ) -> PhysicsState:
        """Returns the state after `n_substeps` engine steps, with its sensors; NaN where it has diverged."""
        shapes = {name: value.shape for name, value in fields.items()}
        # One row in and one row out: every further argument of a callback costs time.
        values = [state.qpos, state.qvel, state.act, state.warmstart, ctrl, applied, *map(jnp.ravel, fields.values())]
        row = jnp.concatenate([jnp.asarray(value, jnp.float32) for value in values])

        def on_host(rows):
            """Steps `rows` `[..., row]`; leading axes are those of `vmap`s."""
            rows = np.asarray(rows)
            result = self._advance(n_substeps, rows.reshape(-1, rows.shape[-1]), shapes)
            return result.reshape(*rows.shape[:-1], result.shape[-1])

        sizes = [x.size for x in (state.qpos, state.qvel, state.act, state.warmstart)] + [self._model.nsensordata]
        shape = jax.ShapeDtypeStruct((sum(sizes),), jnp.float32)
        result = jax.pure_callback(on_host, shape, row, vmap_method="expand_dims")
        qpos, qvel, act, warmstart, sensordata = jnp.split(result, np.cumsum(sizes)[:-1])
        return PhysicsState(qpos, qvel, act, warmstart, sensordata)

    def _advance(self, n_substeps: int, rows: np.ndarray, shapes: dict[str, tuple[int, ...]]) -> np.ndarray:
        """Steps rows of qpos, qvel, act, warm start, controls, forces and fields; returns rows of `PhysicsState`s."""
        model = self._model
        # MuJoCo's layout of a simulation: the time, then the same numbers as in a row, in the same order.
        state = slice(1, 1 + model.nq + 3 * model.nv + model.na + model.nu)
        kept = slice(1, 1 + model.nq + 2 * model.nv + model.na)
        width = state.stop - state.start
        sensors = mujoco.mjtStage.mjSTAGE_VEL if model.nsensor else mujoco.mjtStage.mjSTAGE_NONE
        with self._lock:
            batch = self._batch(len(rows), tuple(shapes))
            batch.state[:, 0] = 0
            batch.state[:, state] = rows[:, :width]
            for name, shape in shapes.items():
                size = math.prod(shape)
                batch.expand(name)[:] = rows[:, width : width + size].reshape(-1, *shape)
                width += size
            with np.errstate(invalid="ignore", over="ignore"):
                broken = ~np.isfinite(rows.sum(1))  # a state whose sum overflows is lost too
            # The engine would only report again what is broken already.
            batch.state[broken, state] = 0
            batch.bind("qpos")[broken] = model.qpos0
            warnings = batch.warning[:, _LOST, 1].copy()
            try:
                if n_substeps:
                    batch.step(nstep=n_substeps, stage=sensors)
                else:
                    batch.forward(stage=sensors)
            except SimulationError as error:
                broken[error.ids] = True
            broken[(batch.warning[:, _LOST, 1] > warnings).any(1)] = True
            result = np.empty((len(rows), kept.stop - 1 + model.nsensordata), np.float32)
            result[:, : kept.stop - 1] = batch.state[:, kept]
            result[:, kept.stop - 1 :] = batch.bind("sensordata")
        result[broken] = np.nan
        return result

    def _batch(self, num: int, fields: tuple[str, ...]) -> Batch:
        """Returns the batch for `num` simulations and a set of fields, made when it is first needed."""
        if (num, fields) not in self._batches:
            batch = Batch(self._model, num, min(num, available_cores()))
            batch.bind("sensordata")
            for name in fields:
                batch.expand(name)
            self._batches[num, fields] = batch
        return self._batches[num, fields]
