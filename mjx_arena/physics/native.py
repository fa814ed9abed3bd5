"""The native engine: MuJoCo in C on all cores, called from within the jitted program, for CPUs.

One call advances every arena; like a step of the other engines, it is a pure function of the whole state.
"""

import contextlib
import copy
import ctypes

import jax
import jax.numpy as jnp
import mujoco
from mujoco.batch import MODEL_FIELDS

from mjx_arena.physics import native_library
from mjx_arena.physics.engine import Engine
from mjx_arena.physics.native_callback import CallbackStep
from mjx_arena.physics.native_library import LibraryStep
from mjx_arena.physics.settings import PhysicsSettings
from mjx_arena.types import PhysicsState


class NativePhysics(Engine):
    """Steps `model` with MuJoCo's batches of simulations; an arena that diverges comes back as NaN."""

    name = "native"
    title = "MuJoCo in C"
    device = "cpu"
    in_xla = False

    def __init__(self, model: mujoco.MjModel, settings: PhysicsSettings):
        super().__init__(model, settings)
        # The engine's own answer to divergence, to reset to the model's defaults, would look like a healthy arena.
        model = copy.copy(model)
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        _keep_quiet()
        _stop_clocks()
        library = native_library.load()
        self._by_python = CallbackStep(model)
        self._advance = self._by_python if isinstance(library, str) else LibraryStep(model, library)

    @classmethod
    def one_device(cls) -> bool:
        """Returns whether MuJoCo is called by way of Python: two devices would wait for each other for ever."""
        return isinstance(native_library.load(), str)

    @classmethod
    def notice(cls) -> str | None:
        """Returns why MuJoCo is called by way of Python on this machine; None if it is not."""
        library = native_library.load()
        if not isinstance(library, str):
            return None
        return f"physics=native goes by way of Python, which is slower: its library cannot be built ({library})"

    def init(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array] | None = None) -> PhysicsState:
        """Returns the state at `qpos` `[nq]` and `qvel` `[nv]`, with sensors evaluated and no warm start."""
        act, nothing = jnp.zeros(self.model.na), jnp.zeros(self.model.nv)
        state = PhysicsState(qpos=qpos, qvel=qvel, act=act, warmstart=nothing, sensordata=jnp.zeros(0))
        if self.model.nsensor == 0:
            return state
        sensordata = self._call(0, state, jnp.zeros(self.model.nu), None, fields).sensordata
        return state.replace(sensordata=sensordata)

    def step(
        self,
        state: PhysicsState,
        ctrl: jax.Array,
        n_substeps: int,
        applied: jax.Array | None = None,
        fields: dict[str, jax.Array] | None = None,
    ) -> PhysicsState:
        """Advances the state, see `mjx_arena.types.Physics.step`."""
        return self._call(n_substeps, state, ctrl, applied, fields)

    def _call(self, n_substeps: int, state: PhysicsState, ctrl, applied, fields) -> PhysicsState:
        fields = state.with_own(fields)
        for name in fields:
            if name not in MODEL_FIELDS:
                raise TypeError(f"{name} is no field of a model that can vary by arena")
        fields = {name: jnp.asarray(value) for name, value in fields.items()}
        applied = jnp.zeros(self.model.nv) if applied is None else applied
        on_cpu = jax.default_backend() == "cpu"  # the library's target is for programs of CPUs alone
        after = (self._advance if on_cpu else self._by_python)(n_substeps, state, ctrl, applied, fields)
        return after.replace(fields=state.fields)


def _stop_clocks() -> None:
    """Stops MuJoCo from reading the clock around each part of a step, for `MjData.timer`.

    That takes 6 % of the time of ant sumo's steps and 27 % of car soccer's. `mujoco.set_mjcb_time(None)` leaves the
    package's own clock in place.
    """
    with contextlib.suppress(OSError, ValueError):  # no library, or no such symbol in it: only slower
        shared = ctypes.CDLL(str(native_library.shared_library()))
        ctypes.c_void_p.in_dll(shared, "mjcb_time").value = None


def _keep_quiet() -> None:
    """Stops MuJoCo from printing, and from writing a file in the working directory, when an arena diverges."""
    config = mujoco.MjLogConfig.get()
    config.logto_console = config.logto_file = False
    config.set()
