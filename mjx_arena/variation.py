"""Makes the matches of any game vary as `task.randomize` says, see `mjx_arena.randomize`. Axes: A agents."""

import chex
import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from flax import struct

from mjx_arena.arena import Arena
from mjx_arena.pushes import draw_pushes, push_at
from mjx_arena.symmetry import Symmetry
from mjx_arena.types import ArenaState, Box, TimeStep
from mjx_arena.validation import require


class Variation(struct.PyTreeNode):
    """What a match has drawn, besides the fields of the model in its physics. None: nothing. D is the longest delay."""

    delay: jax.Array | None  # [] int32 control steps
    late: jax.Array | None  # [D, A, ...] actions of the last D control steps, oldest first
    pushes: jax.Array | None  # [K, A, 2] m/s


def varied(game: type[Arena]) -> type[Arena]:
    """Returns a subclass of `game` whose matches vary as its settings' `randomize` says."""
    return type(game.__name__, (_Varied, game), {})


class _Varied(Arena):
    """Comes before a game in the order of its classes."""

    def __init__(self, settings, physics):
        super().__init__(settings, physics)
        changes = settings.randomize.changes
        for name in changes:
            remedy = f"{settings.name} can vary {', '.join(self.randomizable) or 'nothing'} alone"
            require(name in self.randomizable, f"task.randomize.{name}", getattr(settings.randomize, name), remedy)
        self._pushed = _pushed_dofs(self.mj_model, self.num_agents) if "push" in changes else None
        if self.symmetry is not None:
            self.symmetry = self.symmetry._replace(state=_reflected(self.symmetry, isinstance(self.action, Box)))

    def reset(self, key: chex.PRNGKey, phase: jax.Array | None = None) -> tuple[ArenaState, TimeStep]:
        state, timestep = super().reset(key, phase)
        key, k_fields, k_delay, k_push = jax.random.split(state.key, 4)
        s = self.settings.randomize
        delay = late = pushes = None
        if "delay" in s.changes:
            delay = jax.random.randint(k_delay, (), s.delay[0], s.delay[1] + 1)
            late = jnp.broadcast_to(self.idle_action, (s.delay[1], self.num_agents, *self.idle_action.shape))
        if "push" in s.changes:
            pushes = draw_pushes(k_push, self.num_agents, self.time_limit, s.push_interval, s.push)
        physics = state.physics.replace(fields=self._fields(k_fields))
        return state.replace(key=key, physics=physics, variation=Variation(delay, late, pushes)), timestep

    def step(self, state: ArenaState, action: jax.Array) -> tuple[ArenaState, TimeStep]:
        variation, physics = state.variation, state.physics
        if variation.late is not None:
            action = jnp.clip(action, -1, 1) if isinstance(self.action, Box) else action
            recent = jnp.concatenate([variation.late, action[None]])
            action = recent[len(variation.late) - variation.delay]
            variation = variation.replace(late=recent[1:])
        if variation.pushes is not None:
            push = push_at(variation.pushes, state.step_count, self.settings.randomize.push_interval)
            physics = physics.replace(qvel=physics.qvel + jnp.einsum("vad,ad->v", self._pushed, push))
        state, timestep = super().step(state.replace(physics=physics), action)
        return state.replace(variation=variation), timestep

    def _fields(self, key: chex.PRNGKey) -> dict[str, jax.Array]:
        """Draws the fields of the model that differ in one match. Consumes `key`."""
        fields, model, s = {}, self.mj_model, self.settings.randomize
        for name, k_factor in zip(_FIELDS, jax.random.split(key, len(_FIELDS)), strict=True):
            if name in s.changes:
                low, high = getattr(s, name)
                factor = jax.random.uniform(k_factor, minval=low, maxval=high)
                for field, power in _FIELDS[name].items():
                    value = np.float32(getattr(model, field))
                    if value.size:
                        fields[field] = value * factor**power
        return fields


# What a factor does to fields of the model: it multiplies them, or divides them by it. With masses, inertias and
# armature alike, all inertia changes by one factor, and the weights that make contacts stiff by its inverse.
_FIELDS = {
    "mass": {
        **dict.fromkeys(("body_mass", "body_inertia", "body_subtreemass", "dof_armature"), 1),
        **dict.fromkeys(("body_invweight0", "dof_invweight0", "tendon_invweight0"), -1),
    },
    "friction": dict.fromkeys(("geom_friction", "pair_friction"), 1),
    "motor_strength": dict.fromkeys(("actuator_gainprm", "actuator_biasprm", "actuator_forcerange"), 1),
}


def _pushed_dofs(model: mujoco.MjModel, num_agents: int) -> np.ndarray:
    """Returns how a push `[A, 2]` along the world's x and y adds to velocities, `[nv, A, 2]`.

    Raises ValueError unless each agent has a body with motors that moves freely in a horizontal direction.
    """
    with_motors = sorted({int(model.dof_treeid[model.jnt_dofadr[joint]]) for joint in model.actuator_trnid[:, 0]})
    effect = np.zeros((model.nv, num_agents, 2), np.float32)
    for agent, tree in enumerate(with_motors[:num_agents]):
        for joint in np.flatnonzero(model.body_parentid[model.jnt_bodyid] == 0):
            dof = model.jnt_dofadr[joint]
            if model.dof_treeid[dof] == tree and model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
                effect[[dof, dof + 1], agent, [0, 1]] = 1
            elif model.dof_treeid[dof] == tree and model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE:
                effect[dof, agent] = model.jnt_axis[joint][:2]
    if len(with_motors) != num_agents or not effect.any((0, 2)).all():
        raise ValueError(
            "task.randomize.push needs a free body with motors for each agent; leave it out of randomizable"
        )
    return effect


def _reflected(symmetry: Symmetry, is_box: bool):
    """Returns the image in the mirror of a match that varies."""
    seats, act = np.array(symmetry.seats), symmetry.action if is_box else symmetry.action.of_choice

    def of_state(state: ArenaState) -> ArenaState:
        late, pushes = state.variation.late, state.variation.pushes
        variation = state.variation.replace(
            late=None if late is None else act(late[:, seats]),
            pushes=None if pushes is None else pushes[:, seats] * jnp.array([1, -1]),
        )
        return symmetry.state(state).replace(variation=variation)

    return of_state
