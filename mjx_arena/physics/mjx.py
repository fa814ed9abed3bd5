"""The MJX engine: MuJoCo's physics as one JAX program, for whatever backend JAX runs on."""

import contextlib
import io

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_arena.types import PhysicsState

with contextlib.redirect_stdout(io.StringIO()):  # the import prints a line when Warp is absent
    from mujoco import mjx
    from mujoco.mjx._src import sensor as mjx_sensor

# Sensors that follow from positions and velocities of bodies alone: no tendon, actuator, camera or clock.
_SENSORS = (
    *("JOINTPOS", "JOINTVEL", "BALLQUAT", "BALLANGVEL", "SUBTREECOM", "SUBTREELINVEL", "SUBTREEANGMOM"),
    *("FRAMEPOS", "FRAMEQUAT", "FRAMEXAXIS", "FRAMEYAXIS", "FRAMEZAXIS", "FRAMELINVEL", "FRAMEANGVEL"),
    *("VELOCIMETER", "GYRO", "MAGNETOMETER", "RANGEFINDER"),
)


class MjxPhysics:
    """Steps `model` with `impl="jax"`.

    Raises ValueError if MJX would ignore or mishandle something the model asks for.
    """

    def __init__(self, model: mujoco.MjModel):
        _validate(model)
        self.model = model
        self._mjx_model = mjx.put_model(model, impl="jax")
        self._template = mjx.make_data(model, impl="jax")

    def init(self, qpos: jax.Array, qvel: jax.Array, fields: dict[str, jax.Array] | None = None) -> PhysicsState:
        """State at `qpos` `[nq]`, `qvel` `[nv]` with its sensors evaluated and a cold solver."""
        mjx_model = self._model_with(fields)
        data = self._template.replace(qpos=qpos, qvel=qvel)
        return PhysicsState(
            qpos=qpos,
            qvel=qvel,
            act=jnp.zeros(self.model.na),
            warmstart=jnp.zeros(self.model.nv),
            sensordata=self._sensors(mjx_model, data),
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
        data = template.replace(qpos=qpos, qvel=qvel, act=act)
        return PhysicsState(
            qpos=qpos, qvel=qvel, act=act, warmstart=warmstart, sensordata=self._sensors(mjx_model, data)
        )

    def _model_with(self, fields: dict[str, jax.Array] | None):
        return self._mjx_model.tree_replace(fields) if fields else self._mjx_model

    def _sensors(self, mjx_model, data) -> jax.Array:
        if self.model.nsensor == 0:
            return jnp.zeros(0)
        data = mjx.com_vel(mjx_model, mjx.com_pos(mjx_model, mjx.kinematics(mjx_model, data)))
        return mjx_sensor.sensor_vel(mjx_model, mjx_sensor.sensor_pos(mjx_model, data)).sensordata


def _validate(model: mujoco.MjModel) -> None:
    """Says what `put_model` lets through although MJX would not simulate it as MuJoCo does."""
    enable, integrator = model.opt.enableflags, model.opt.integrator
    if integrator != mujoco.mjtIntegrator.mjINT_EULER:
        raise ValueError(
            "option integrator must be Euler: MJX and MuJoCo treat saturated actuators differently under the implicit "
            "ones, and the slim state holds no memory for RK4's stages"
        )
    for flag in ("mjENBL_SLEEP", "mjENBL_DISCRETE"):
        bit = getattr(mujoco.mjtEnableBit, flag, None)
        if bit is not None and enable & int(bit):
            raise ValueError(f"flag {flag} is accepted by MJX but not simulated; remove it from the model")
    if model.opt.solver == mujoco.mjtSolver.mjSOL_PGS:
        raise ValueError("solver PGS does not exist in MJX; use Newton or CG")
    if model.nhistory:
        raise ValueError("delays of actuators and sensors are accepted by MJX but not simulated; remove them")
    needs_acceleration = model.sensor_needstage == mujoco.mjtStage.mjSTAGE_ACC
    if needs_acceleration.any():
        names = _sensor_names(model, needs_acceleration)
        raise ValueError(f"sensors {names} need accelerations, which are not part of a state; use others")
    kinds = [mujoco.mjtSensor(kind).name.removeprefix("mjSENS_") for kind in model.sensor_type]
    camera = mujoco.mjtObj.mjOBJ_CAMERA
    unevaluated = np.array([kind not in _SENSORS for kind in kinds], bool)
    unevaluated |= (model.sensor_objtype == camera) | (model.sensor_reftype == camera)
    if unevaluated.any():
        names = _sensor_names(model, unevaluated)
        raise ValueError(f"sensors {names} would be wrong: this engine evaluates none of their kind; use others")


def _sensor_names(model: mujoco.MjModel, chosen: np.ndarray) -> str:
    return ", ".join(model.sensor(i).name or str(i) for i in chosen.nonzero()[0])
