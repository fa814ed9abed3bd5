"""The duel on an engine without physics, so that tests of rules know the state exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_arena import PhysicsSettings
from mjx_arena.pushes import draw_pushes
from mjx_arena.tasks.humanoid_duel import arena as humanoid_duel
from mjx_arena.tasks.humanoid_duel import body as duelist
from mjx_arena.tasks.humanoid_duel.arena import DuelMemory, HumanoidDuel, HumanoidDuelSettings
from mjx_arena.types import ArenaState, PhysicsState

STANDING = duelist.STANDING_HEIGHT
IDLE = jnp.zeros((2, 4))


class StillPhysics:
    """An engine whose step adds `shift`, by default 0, to every coordinate and speed."""

    shift = 0.0

    def __init__(self, model):
        self.model = model

    def init(self, qpos, qvel, fields=None):
        empty = jnp.zeros(0)
        return PhysicsState(qpos=qpos, qvel=qvel, act=empty, warmstart=jnp.zeros_like(qvel), sensordata=empty)

    def step(self, state, ctrl, n_substeps, applied=None, fields=None):
        return state.replace(qpos=state.qpos + self.shift, qvel=state.qvel + self.shift)


def make_duel(**changes):
    """Builds a duel on `StillPhysics`; `changes` replace default settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(humanoid_duel, "make_physics", lambda spec, settings: StillPhysics(spec.compile()))
        return HumanoidDuel(HumanoidDuelSettings(**changes), PhysicsSettings())


def start(duel, qpos, qvel=None, drill=False, shadow=False, held=(False, False), step_count=0, seed=0):
    """Returns a state with both agents' coordinates `qpos` `[2, 11]` and speeds `qvel` `[2, 10]`."""
    qpos = jnp.reshape(jnp.asarray(qpos, jnp.float32), -1)
    qvel = jnp.zeros(20) if qvel is None else jnp.reshape(jnp.asarray(qvel, jnp.float32), -1)
    key, s = jax.random.key(seed), duel.settings
    memory = DuelMemory(
        drill=jnp.bool_(drill),
        shadow=jnp.bool_(shadow),
        held=jnp.array(held),
        start_qpos=qpos,
        kicks=draw_pushes(key, 2, s.drill_time_limit, s.kick_interval, s.drill_kick),
    )
    physics = duel.physics.init(qpos, qvel)
    return ArenaState(physics=physics, key=key, step_count=jnp.int32(step_count), memory=memory)


def stand(heights=(STANDING, STANDING), positions=((0, 0), (3, 4)), quats=((1, 0, 0, 0), (1, 0, 0, 0))):
    """Returns coordinates `[2, 11]` of two agents that stand, by default 5 m apart."""
    return np.array([[*p, h, *q, 0, 0, 0, 0] for p, h, q in zip(positions, heights, quats, strict=True)], float)
