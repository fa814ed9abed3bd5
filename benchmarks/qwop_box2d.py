"""QWOP on Box2D, from the tables of `mjx_arena.tasks.qwop.body`, as a reference for physics and speed.

`python benchmarks/peers.py qwop [--json FILE]` compares its speed with that of our arenas. Needs the extra `peers`.
"""

import time

import Box2D
import numpy as np

from mjx_arena.tasks.qwop.arena import ACTION_SETS
from mjx_arena.tasks.qwop.body import FRAME, GROUND, JOINTS, PARTS

DENSITY, FRICTION = {"foot": 3.0}, {"foot": 1.5}  # of parts whose names end so; others have 1 and 0.2
_SWING = {"right_hip": 2.5, "left_hip": -2.5, "right_shoulder": -2.0, "left_shoulder": 2.0}
_BEND = {"right_knee": 2.5, "left_knee": -2.5}
_HIPS = {
    "O": {"left_hip": (-1.0, 1.0), "right_hip": (-1.3, 0.7)},
    "P": {"left_hip": (-1.5, 0.5), "right_hip": (-0.8, 1.2)},
}
SKIP = 4  # frames of a control step


class Runner:
    """A runner in its own world, which observes what the task's runner does, unscaled."""

    def __init__(self):
        self.reset()

    def reset(self) -> np.ndarray:
        self.world = Box2D.b2World(gravity=(0, 10))
        track = self.world.CreateStaticBody(position=(500, GROUND + 1))
        track.CreatePolygonFixture(box=(600, 1), friction=0.2)
        self.parts, self.joints = {}, {}
        for name, part in PARTS.items():
            body = self.world.CreateDynamicBody(position=part.com, angle=part.angle)
            kind = name.split("_")[-1]
            # Parts pass through each other.
            body.CreatePolygonFixture(
                box=part.half,
                density=DENSITY.get(kind, 1.0),
                friction=FRICTION.get(kind, 0.2),
                filter=Box2D.b2Filter(groupIndex=-1),
            )
            self.parts[name] = body
        for name, joint in JOINTS.items():
            self.joints[name] = self.world.CreateRevoluteJoint(
                bodyA=self.parts[joint.child],
                bodyB=self.parts[joint.parent],
                localAnchorA=joint.on_child,
                localAnchorB=joint.on_parent,
                referenceAngle=joint.reference,
                enableLimit=True,
                lowerAngle=joint.limits[0],
                upperAngle=joint.limits[1],
                enableMotor=joint.torque > 0,
                maxMotorTorque=joint.torque,
            )
        return self.observe()

    def step(self, keys: str) -> tuple[np.ndarray, bool]:
        """Plays `SKIP` frames; returns the observation `[60]`, and whether the runner has fallen."""
        swing = 1 if "Q" in keys else -1 if "W" in keys else 0
        bend = 1 if "O" in keys else -1 if "P" in keys else 0
        for speeds, sign in ((_SWING, swing), (_BEND, bend)):
            for name, speed in speeds.items():
                self.joints[name].motorSpeed = sign * speed
        for name, limits in _HIPS.get("O" if "O" in keys else "P" if "P" in keys else "", {}).items():
            self.joints[name].SetLimits(*limits)
        head = self.parts["head"]
        for _ in range(SKIP):
            head.ApplyTorque(-4 * (head.angle + 0.2), True)
            self.world.Step(FRAME, 5, 5)
        return self.observe(), self.fallen()

    def observe(self) -> np.ndarray:
        rows = [(*b.worldCenter, b.angle, *b.linearVelocity) for b in self.parts.values()]
        return np.array(rows, np.float32).reshape(-1)

    def fallen(self) -> bool:
        return any(
            edge.contact.touching
            for name, body in self.parts.items()
            if name == "head" or "arm" in name
            for edge in body.contacts
        )


def box2d_steps(seconds: float) -> int:
    """Plays random keys for `seconds`; returns the number of control steps."""
    runner, rng, steps = Runner(), np.random.default_rng(0), 0
    keys = ACTION_SETS["full"]
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        if runner.step(keys[rng.integers(len(keys))])[1]:
            runner.reset()
        steps += 1
    return steps
