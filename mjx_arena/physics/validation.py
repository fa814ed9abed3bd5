"""What a model may ask for, so that every engine simulates it alike."""

import mujoco
import numpy as np

# Sensors that follow from positions and velocities of bodies alone: no tendon, actuator, camera or clock.
_SENSORS = (
    *("JOINTPOS", "JOINTVEL", "BALLQUAT", "BALLANGVEL", "SUBTREECOM", "SUBTREELINVEL", "SUBTREEANGMOM"),
    *("FRAMEPOS", "FRAMEQUAT", "FRAMEXAXIS", "FRAMEYAXIS", "FRAMEZAXIS", "FRAMELINVEL", "FRAMEANGVEL"),
    *("VELOCIMETER", "GYRO", "MAGNETOMETER", "RANGEFINDER"),
)


def validate(model: mujoco.MjModel) -> None:
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
