"""A match at any time: its poses between control steps."""

import mujoco
import numpy as np

# m/s; a body that moves faster was put elsewhere, as are cars that come back and ants that are out. The ball of car
# soccer flies at 60 m/s at most.
_FASTEST = 90.0
_TRANSLATIONS = {int(mujoco.mjtJoint.mjJNT_FREE): 3, int(mujoco.mjtJoint.mjJNT_SLIDE): 1}


class Timeline:
    """The poses `[S, nq]` of one match of `model`, `control_dt` s apart, and all poses between them."""

    def __init__(self, model: mujoco.MjModel, poses: np.ndarray, control_dt: float):
        self._model, self._poses, self._control_dt = model, poses, control_dt
        # First of the degrees of freedom that move a body, and how many they are.
        self._moving = [
            (int(dof), _TRANSLATIONS[int(kind)])
            for dof, kind in zip(model.jnt_dofadr, model.jnt_type, strict=True)
            if int(kind) in _TRANSLATIONS
        ]
        self._step, self._way, self._put = -1, np.zeros(model.nv), np.zeros(model.nbody, bool)

    @property
    def duration(self) -> float:
        """Returns the time that the match took, s."""
        return (len(self._poses) - 1) * self._control_dt

    def at(self, time: float) -> np.ndarray:
        """Returns the pose `[nq]` at `time` s; orientations turn at a constant rate between two control steps.

        Bodies that are put elsewhere stay where they were until the next control step, with all that hangs on them.
        """
        steps = min(time / self._control_dt, len(self._poses) - 1)
        step = int(steps + 1e-6)
        share = steps - step
        if share < 1e-6:
            return self._poses[step]
        self._enter(step)
        pose = self._poses[step].astype(float)
        mujoco.mj_integratePos(self._model, pose, self._way, share)
        return pose

    def put_elsewhere(self, step: int) -> np.ndarray:
        """Returns which bodies `[nbody]` bool the control step after pose `step` puts elsewhere."""
        self._enter(step)
        return self._put

    def _enter(self, step: int) -> None:
        """Finds the way from the pose of `step` to the next one; 0 for what is put elsewhere."""
        if step == self._step:
            return
        model, way, put = self._model, np.zeros(self._model.nv), np.zeros(self._model.nbody, bool)
        before, after = (self._poses[index].astype(float) for index in (step, step + 1))
        mujoco.mj_differentiatePos(model, way, 1.0, before, after)
        for dof, size in self._moving:
            if np.linalg.norm(way[dof : dof + size]) > _FASTEST * self._control_dt:
                tree = model.dof_treeid[dof]
                way[model.dof_treeid == tree], put[model.body_treeid == tree] = 0, True
        self._step, self._way, self._put = step, way, put
