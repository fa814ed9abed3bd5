"""The Warp engine: MJX over MuJoCo Warp, for NVIDIA GPUs. On a CPU it is slow, and only useful for checks.

Warp keeps the contacts of all arenas in one buffer of fixed size, and the constraint rows of each arena in another; it
drops what does not fit. Here that ends the run with an error. The engine is not reproducible bit for bit.
"""

import contextlib
import importlib
import io

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_arena.physics.engine import Engine
from mjx_arena.physics.mjx import MjxPhysics, load_mjx
from mjx_arena.physics.settings import PhysicsSettings
from mjx_arena.types import PhysicsState

# Bits of Warp's `OverflowType`: the solver or its line search used all its iterations, as it mostly does.
_HARMLESS = 1 << 9 | 1 << 10
_INPUTS = ("qpos", "qvel", "act", "qacc_warmstart", "ctrl", "qfrc_applied")


class WarpPhysics(Engine):
    """Steps `model` with `impl="warp"`; sensors come from MJX, which evaluates the same ones."""

    name = "warp"
    title = "MuJoCo Warp"
    device = "gpu"  # NVIDIA only
    requires = ("warp",)
    reproducible = False

    def __init__(self, model: mujoco.MjModel, settings: PhysicsSettings):
        super().__init__(model, settings)
        warp, mjx = importlib.import_module("warp"), load_mjx()
        warp.config.log_level = warp.LOG_WARNING  # messages below this level would go to stdout
        self._mjx, self._jax = mjx, MjxPhysics(model, settings)
        device = jax.local_devices()[0]
        bounds = mjx.make_data(model, device, impl="jax")._impl
        # MJX finds one contact where MuJoCo may find two, for capsules that lie side by side.
        self.max_contacts = settings.max_contacts or 2 * max(bounds.ncon, 1)
        self.max_constraints = settings.max_constraints or 2 * max(bounds.nefc, 1)
        with contextlib.redirect_stdout(io.StringIO()):
            warp_model = mjx.put_model(model, device, impl="warp")
            self._warp_model = warp_model.tree_replace({"opt._impl.warn_overflow": 0})  # it would print, to stdout
            sizes = {"naconmax": self.max_contacts, "njmax": self.max_constraints}
            self._one = mjx.make_data(model, device, impl="warp", **sizes)

    def init(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array] | None = None) -> PhysicsState:
        """Returns the state at `qpos` `[nq]` and `qvel` `[nv]`, with sensors evaluated and no warm start."""
        return self._jax.init(qpos, qvel, fields)

    def step(
        self,
        state: PhysicsState,
        ctrl: jax.Array,
        n_substeps: int,
        applied: jax.Array | None = None,
        fields: dict[str, jax.Array] | None = None,
    ) -> PhysicsState:
        """Advances the state, see `mjx_arena.types.Physics.step`. The program fails if contacts overflow a buffer."""

        @jax.custom_batching.custom_vmap
        def advance(inputs, fields):
            batch = jax.tree.map(lambda x: x[None], (inputs, fields))
            return jax.tree.map(lambda x: x[0], self._advance(1, n_substeps, *batch))

        @advance.def_vmap
        def _(num, mapped, *arguments):
            arguments = jax.tree.map(
                lambda is_mapped, x: x if is_mapped else jnp.broadcast_to(x, (num, *x.shape)), tuple(mapped), arguments
            )
            result = self._advance(num, n_substeps, *arguments)
            return result, jax.tree.map(lambda _: True, result)

        fields = state.with_own(fields)
        applied = jnp.zeros(self.model.nv) if applied is None else applied
        values = (state.qpos, state.qvel, state.act, state.warmstart, ctrl, applied)
        qpos, qvel, act, warmstart = advance(dict(zip(_INPUTS, values, strict=True)), fields)
        sensordata = self._jax.sensors(qpos, qvel, act, fields)
        return state.replace(qpos=qpos, qvel=qvel, act=act, warmstart=warmstart, sensordata=sensordata)

    def _advance(self, num: int, n_substeps: int, inputs: dict[str, jax.Array], fields: dict[str, jax.Array]):
        """Steps `num` simulations `[num, ...]`; returns their qpos, qvel, act and warm starts."""
        template = self._data(num)

        def one(inputs, fields):
            model = self._warp_model.tree_replace(fields) if fields else self._warp_model
            step = self._mjx.step
            data = jax.lax.fori_loop(0, n_substeps, lambda _, data: step(model, data), template.replace(**inputs))
            return (data.qpos, data.qvel, data.act, data.qacc_warmstart), data._impl.overflow

        result, overflow = jax.vmap(one)(inputs, fields)
        jax.lax.cond(jnp.any(overflow & ~_HARMLESS != 0), lambda: jax.debug.callback(self._overflowed), lambda: None)
        return result

    def _data(self, num: int):
        """Returns data of one simulation with the contact buffer of `num`, all of whose entries are alike."""
        contacts = num * self.max_contacts

        def widened(path, leaf):
            if not jax.tree_util.keystr(path).startswith("._impl.contact__"):
                return leaf
            with jax.ensure_compile_time_eval():
                value = np.asarray(leaf).flat[0] if leaf.size else 0
            return jnp.full((contacts, *leaf.shape[1:]), value, leaf.dtype)

        data = jax.tree_util.tree_map_with_path(widened, self._one)
        return data.tree_replace({"_impl.naconmax": contacts, "_impl.naccdmax": contacts})

    def _overflowed(self) -> None:
        raise RuntimeError(
            f"physics.max_contacts={self.max_contacts} or physics.max_constraints={self.max_constraints} is too small "
            "for this game: contacts were lost. Choose larger ones, or null for the most that the model can have"
        )
