"""The MJX engine: MuJoCo's physics as one JAX program, for whatever backend JAX runs on."""

import contextlib
import io

import jax
import jax.numpy as jnp
import mujoco

from mjx_arena.physics.validation import validate
from mjx_arena.types import PhysicsState

with contextlib.redirect_stdout(io.StringIO()):  # the import prints a line when Warp is absent
    from mujoco import mjx
    from mujoco.mjx._src import sensor as mjx_sensor


class MjxPhysics:
    """Steps `model` with `impl="jax"`.

    Raises ValueError for a model that the engines would not simulate alike.
    """

    def __init__(self, model: mujoco.MjModel):
        validate(model)
        self.model = model
        self._mjx_model = mjx.put_model(model, impl="jax")
        self._template = mjx.make_data(model, impl="jax")

    def init(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array] | None = None) -> PhysicsState:
        """State at `qpos` `[nq]`, `qvel` `[nv]` with its sensors evaluated and a cold solver."""
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
        """See `mjx_arena.types.Physics.step`. The loop carries the slim state, not the whole `mjx.Data`."""
        mjx_model = self._model_with(fields)
        template = self._template.replace(ctrl=ctrl)
        if applied is not None:
            template = template.replace(qfrc_applied=applied)

        def substep(_, carry):
            qpos, qvel, act, warmstart = carry
            data = template.replace(qpos=qpos, qvel=qvel, act=act, qacc_warmstart=warmstart)
            data = mjx.step(mjx_model, data)
            return data.qpos, data.qvel, data.act, data.qacc_warmstart

        carry = (state.qpos, state.qvel, state.act, state.warmstart)
        qpos, qvel, act, warmstart = jax.lax.fori_loop(0, n_substeps, substep, carry)
        sensordata = self.sensors(qpos, qvel, act, fields)
        return PhysicsState(qpos=qpos, qvel=qvel, act=act, warmstart=warmstart, sensordata=sensordata)

    def sensors(
        self, qpos: jax.Array, qvel: jax.Array, act: jax.Array, fields: dict[str, jax.Array] | None = None
    ) -> jax.Array:
        """Of a state: `[nsensordata]`."""
        if self.model.nsensor == 0:
            return jnp.zeros(0)
        mjx_model, data = self._model_with(fields), self._template.replace(qpos=qpos, qvel=qvel, act=act)
        data = mjx.com_vel(mjx_model, mjx.com_pos(mjx_model, mjx.kinematics(mjx_model, data)))
        return mjx_sensor.sensor_vel(mjx_model, mjx_sensor.sensor_pos(mjx_model, data)).sensordata

    def _model_with(self, fields: dict[str, jax.Array] | None):
        return self._mjx_model.tree_replace(fields) if fields else self._mjx_model
