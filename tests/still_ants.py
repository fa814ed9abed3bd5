"""Ants on an engine without forces, so that tests of rules know the state exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from still_duel import StillPhysics

from mjx_arena import PhysicsSettings
from mjx_arena.bodies import ant
from mjx_arena.tasks.ant_battle import arena as ant_battle
from mjx_arena.tasks.ant_sumo import arena as ant_sumo
from mjx_arena.types import ArenaState


class DriftingPhysics(StillPhysics):
    """An engine in which ants slide with constant velocity, and nothing else happens."""

    def step(self, state, ctrl, n_substeps, applied=None, fields=None):
        seconds = n_substeps * self.model.opt.timestep
        qpos = state.qpos.reshape(-1, ant.NQ)
        qpos = qpos.at[:, :2].add(seconds * state.qvel.reshape(-1, ant.NV)[:, :2])
        return state.replace(qpos=qpos.reshape(-1))


def make_sumo(**changes):
    """Builds ant sumo on `DriftingPhysics`; `changes` replace default settings."""
    return _make(ant_sumo, ant_sumo.AntSumo, ant_sumo.AntSumoSettings(**changes))


def make_battle(**changes):
    """Builds ant battle on `DriftingPhysics`; `changes` replace default settings."""
    return _make(ant_battle, ant_battle.AntBattle, ant_battle.AntBattleSettings(**changes))


def _make(module, arena_type, settings):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "make_physics", lambda spec, settings: DriftingPhysics(spec.compile()))
        return arena_type(settings, PhysicsSettings())


def at(arena, positions, heights=None, velocities=None, step_count=0, **memory):
    """Returns a state with ants at `positions` `[n, 2]` and `velocities` `[n, 2]`; `memory` replaces fields."""
    positions = np.asarray(positions, np.float32)
    num = len(positions)
    qpos = np.array(ant.place(jnp.array(positions), jnp.zeros(num), jnp.zeros((num, 8)))).reshape(num, ant.NQ)
    if heights is not None:
        qpos[:, 2] = heights
    qvel = np.zeros((num, ant.NV), np.float32)
    if velocities is not None:
        qvel[:, :2] = velocities
    fresh, _ = arena.reset(jax.random.key(0))
    memory = fresh.memory.replace(**{name: jnp.asarray(value) for name, value in memory.items()})
    physics = arena.physics.init(jnp.array(qpos.reshape(-1)), jnp.array(qvel.reshape(-1)))
    return ArenaState(physics=physics, key=fresh.key, step_count=jnp.int32(step_count), memory=memory)


def idle(arena):
    """Returns actions `[A, 8]` of 0."""
    return jnp.zeros((arena.num_agents, ant.NUM_HINGES))
