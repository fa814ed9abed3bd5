"""The MJX engine: MuJoCo's physics as one JAX program, for every backend that JAX runs on."""

import contextlib
import importlib
import io
from types import ModuleType

import jax
import jax.numpy as jnp
import mujoco

from mjx_arena.physics.engine import Engine
from mjx_arena.physics.settings import PhysicsSettings
from mjx_arena.types import PhysicsState


class MjxPhysics(Engine):
    """Steps `model` with `impl="jax"`."""

    name = "mjx"
    title = "MJX"

    def __init__(self, model: mujoco.MjModel, settings: PhysicsSettings):
        super().__init__(model, settings)
        self._mjx, self._sensor = load_mjx(), load_mjx("mujoco.mjx._src.sensor")
        device = jax.local_devices()[0]  # MJX would take the first process's (`findings/mjx_first_process.sh`)
        self._mjx_model = self._mjx.put_model(model, device, impl="jax")
        self._template = self._mjx.make_data(model, device, impl="jax")

    @classmethod
    def vmap_block_size(cls, settings: PhysicsSettings) -> int | None:
        return settings.block_size

    def init(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array] | None = None) -> PhysicsState:
        """Returns the state at `qpos` `[nq]` and `qvel` `[nv]`, with sensors evaluated and no warm start."""
        act = jnp.zeros(self.model.na)
        return PhysicsState(
            qpos=qpos,
            qvel=qvel,
            act=act,
            warmstart=jnp.zeros(self.model.nv),
            sensordata=self.sensors(qpos, qvel, act, fields),
        )

    def step(
        self,
        state: PhysicsState,
        ctrl: jax.Array,
        n_substeps: int,
        applied: jax.Array | None = None,
        fields: dict[str, jax.Array] | None = None,
    ) -> PhysicsState:
        """Advances the state, see `mjx_arena.types.Physics.step`. The loop carries only what a state needs."""
        fields = state.with_own(fields)
        mjx_model = self._model_with(fields)
        template = self._template.replace(ctrl=ctrl)
        if applied is not None:
            template = template.replace(qfrc_applied=applied)

        def substep(_, carry):
            qpos, qvel, act, warmstart = carry
            data = template.replace(qpos=qpos, qvel=qvel, act=act, qacc_warmstart=warmstart)
            data = self._mjx.step(mjx_model, data)
            return data.qpos, data.qvel, data.act, data.qacc_warmstart

        carry = (state.qpos, state.qvel, state.act, state.warmstart)
        qpos, qvel, act, warmstart = jax.lax.fori_loop(0, n_substeps, substep, carry)
        sensordata = self.sensors(qpos, qvel, act, fields)
        return state.replace(qpos=qpos, qvel=qvel, act=act, warmstart=warmstart, sensordata=sensordata)

    def sensors(
        self, qpos: jax.Array, qvel: jax.Array, act: jax.Array, fields: dict[str, jax.Array] | None = None
    ) -> jax.Array:
        """Evaluates the sensors of a state, `[nsensordata]`."""
        if self.model.nsensor == 0:
            return jnp.zeros(0)
        mjx, mjx_model = self._mjx, self._model_with(fields)
        data = self._template.replace(qpos=qpos, qvel=qvel, act=act)
        data = mjx.com_vel(mjx_model, mjx.com_pos(mjx_model, mjx.kinematics(mjx_model, data)))
        return self._sensor.sensor_vel(mjx_model, self._sensor.sensor_pos(mjx_model, data)).sensordata

    def _model_with(self, fields: dict[str, jax.Array] | None):
        return self._mjx_model.tree_replace(fields) if fields else self._mjx_model


def load_mjx(module: str = "mujoco.mjx") -> ModuleType:
    """Imports and returns a module of MJX, which takes seconds; hides the line that it prints if Warp is missing."""
    with contextlib.redirect_stdout(io.StringIO()):
        return importlib.import_module(module)
