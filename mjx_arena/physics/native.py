"""The native engine: MuJoCo in C on all cores, called from within the jitted program, for CPUs.

One host call advances every arena: the call is a pure function of the whole state, as that of the other engines is.
"""

import copy
import threading
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco.batch import MODEL_FIELDS, Batch, SimulationError

from mjx_arena.devices import available_cores
from mjx_arena.physics.validation import validate
from mjx_arena.types import PhysicsState

# A simulation that raises one of these has diverged.
_LOST = [
    int(kind)
    for kind in (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
]


class NativePhysics:
    """Steps `model` with `mujoco.batch.Batch`; an arena that diverges comes back as NaN.

    Raises ValueError for a model that the engines would not simulate alike.
    """

    def __init__(self, model: mujoco.MjModel):
        validate(model)
        self.model = model
        # The engine's own answer to divergence, to reset to the model's defaults, would look like a healthy arena.
        self._model = copy.copy(model)
        self._model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        self._batches: dict[tuple, Batch] = {}
        self._lock = threading.Lock()  # a batch serves one call at a time
        _keep_quiet()

    def init(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array] | None = None) -> PhysicsState:
        """State at `qpos` `[nq]`, `qvel` `[nv]` with its sensors evaluated and a cold solver."""
        act, nothing = jnp.zeros(self.model.na), jnp.zeros(self.model.nv)
        state = PhysicsState(qpos=qpos, qvel=qvel, act=act, warmstart=nothing, sensordata=jnp.zeros(0))
        if self.model.nsensor == 0:
            return state
        sensordata = self._call(0, state, jnp.zeros(self.model.nu), nothing, fields).sensordata
        return state.replace(sensordata=sensordata)

    def step(
        self,
        state: PhysicsState,
        ctrl: jax.Array,
        n_substeps: int,
        applied: jax.Array | None = None,
        fields: dict[str, jax.Array] | None = None,
    ) -> PhysicsState:
        """See `mjx_arena.types.Physics.step`."""
        return self._call(n_substeps, state, ctrl, jnp.zeros(self.model.nv) if applied is None else applied, fields)

    def _call(self, n_substeps: int, state: PhysicsState, ctrl, applied, fields) -> PhysicsState:
        model, fields = self.model, fields or {}
        for name in fields:
            if name not in MODEL_FIELDS:
                raise TypeError(f"{name} is no field of a model that can vary by arena")
        sizes = (model.nq, model.nv, model.na, model.nv, model.nsensordata)
        shapes = tuple(jax.ShapeDtypeStruct((size,), jnp.float32) for size in sizes)
        ranks = [jnp.ndim(value) for value in fields.values()]

        def on_host(qpos, qvel, act, warmstart, ctrl, applied, *values):
            # One axis per vmap lies in front of each argument's own, of length 1 where the argument is not mapped.
            own = [1, 1, 1, 1, 1, 1, *ranks]
            arrays = [np.asarray(x) for x in (qpos, qvel, act, warmstart, ctrl, applied, *values)]
            lead = np.broadcast_shapes(*(x.shape[: x.ndim - rank] for x, rank in zip(arrays, own, strict=True)))
            num = int(np.prod(lead))
            flat = []
            for x, rank in zip(arrays, own, strict=True):
                tail = x.shape[x.ndim - rank :]
                flat.append(np.broadcast_to(x, (*lead, *tail)).reshape(num, *tail))
            result = self._advance(n_substeps, flat[:6], dict(zip(fields, flat[6:], strict=True)))
            return tuple(x.reshape(*lead, x.shape[1]) for x in result)

        arguments = (state.qpos, state.qvel, state.act, state.warmstart, ctrl, applied, *fields.values())
        return PhysicsState(*jax.pure_callback(on_host, shapes, *arguments, vmap_method="expand_dims"))

    def _advance(self, n_substeps: int, inputs: Sequence[np.ndarray], fields: dict[str, np.ndarray]):
        """Steps `[num, ...]` simulations; returns the arrays of a `PhysicsState`. `inputs` are named by `_INPUTS`."""
        num = inputs[0].shape[0]
        sensors = mujoco.mjtStage.mjSTAGE_VEL if self.model.nsensor else mujoco.mjtStage.mjSTAGE_NONE
        with self._lock:
            batch = self._batch(num, tuple(fields))
            for name, value in zip(_INPUTS, inputs, strict=True):
                batch.bind(name)[:] = value
            for name, value in fields.items():
                batch.expand(name)[:] = value
            batch.bind("time")[:] = 0
            broken = np.any(~np.isfinite(np.concatenate(inputs, 1)), axis=1)
            # The engine need not see what is broken already; it would only complain.
            batch.bind("qpos")[broken] = self.model.qpos0
            for name in _INPUTS[1:]:
                batch.bind(name)[broken] = 0
            warnings = batch.warning[:, _LOST, 1].copy()
            try:
                if n_substeps:
                    batch.step(nstep=n_substeps, stage=sensors)
                else:
                    batch.forward(stage=sensors)
            except SimulationError as error:
                broken[error.ids] = True
            broken[(batch.warning[:, _LOST, 1] > warnings).any(1)] = True
            outputs = [batch.bind(name).astype(np.float32) for name in _OUTPUTS]
        for output in outputs:
            output[broken] = np.nan
        return outputs

    def _batch(self, num: int, fields: tuple[str, ...]) -> Batch:
        """One for each number of simulations and set of fields, made when it is first needed."""
        if (num, fields) not in self._batches:
            batch = Batch(self._model, num, min(num, available_cores()))
            batch.bind("sensordata")
            for name in fields:
                batch.expand(name)
            self._batches[num, fields] = batch
        return self._batches[num, fields]


_INPUTS = ("qpos", "qvel", "act", "qacc_warmstart", "ctrl", "qfrc_applied")
_OUTPUTS = ("qpos", "qvel", "act", "qacc_warmstart", "sensordata")


def _keep_quiet() -> None:
    """A diverged arena is counted and reset; MuJoCo would also print it, and write a file where the user stands."""
    config = mujoco.MjLogConfig.get()
    config.logto_console = config.logto_file = False
    config.set()
