"""`check_arena` passes a sound arena and names the fault of each broken one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_arena import Arena, check_arena
from mjx_arena.types import ArenaState, Box, Discrete, PhysicsState, TimeStep

RING = 1.0
TIME_LIMIT = 12


class Sumo(Arena):
    """Two points in a ring; whoever leaves it loses."""

    version, physics, time_limit = 1, None, TIME_LIMIT
    num_agents, observation_size, action, control_dt, mj_model = 2, 4, Box(2), 0.02, None

    def __init__(self):
        """There is nothing to set."""

    def reset(self, key, phase=None):
        key, k_start = jax.random.split(key)
        state = _state(key, jax.random.uniform(k_start, (2, 2), minval=-0.5, maxval=0.5), jnp.int32(0))
        return state, self._timestep(state)

    def step(self, state, action):
        position = state.physics.qpos.reshape(2, 2) + 0.2 * jnp.clip(action, -1, 1)
        state = _state(state.key, position, state.step_count + 1)
        return state, self._timestep(state)

    def _timestep(self, state):
        position = state.physics.qpos.reshape(2, 2)
        out = jnp.linalg.norm(position, axis=-1) > RING
        return TimeStep(
            observation=jnp.concatenate([position, position[::-1]], -1),
            reward=out[::-1].astype(jnp.float32) - out,
            terminated=out.any(),
            truncated=~out.any() & (state.step_count >= TIME_LIMIT),
            outcome=out[::-1].astype(jnp.float32) - out,
            alive=jnp.ones(2, bool),
            rated=jnp.bool_(True),
            action_mask=None,
            metrics={"distance": jnp.linalg.norm(position[0] - position[1])},
        )


class Grid(Sumo):
    """The same with moves to choose from."""

    action = Discrete(3)
    mask = jnp.array([True, True, False])

    def reset(self, key, phase=None):
        state, timestep = super().reset(key)
        return state, timestep.replace(action_mask=jnp.tile(self.mask, (2, 1)))

    def step(self, state, action):
        moves = jnp.array([[1, 0], [-0.5, 0.8], [-0.5, -0.8]])
        state, timestep = super().step(state, moves[action])
        return state, timestep.replace(action_mask=jnp.tile(self.mask, (2, 1)))


def _state(key, position, step_count):
    empty = jnp.zeros(0)
    physics = PhysicsState(qpos=position.reshape(-1), qvel=empty, act=empty, warmstart=empty, sensordata=empty)
    return ArenaState(physics=physics, key=key, step_count=step_count, memory=())


def broken(after_reset=None, after_step=None, base=Sumo, **attributes):
    """An arena that is `base` but for what the hooks do to `(state, timestep)`."""

    class Broken(base):
        def reset(self, key, phase=None):
            result = super().reset(key)
            return after_reset(*result) if after_reset else result

        def step(self, state, action):
            result = super().step(state, action)
            return after_step(*result) if after_step else result

    for name, value in attributes.items():
        setattr(Broken, name, value)
    return Broken()


def with_timestep(**changes):
    """A hook that replaces fields of the time step by functions of `(state, timestep)`."""
    return lambda state, timestep: (state, timestep.replace(**{n: f(state, timestep) for n, f in changes.items()}))


def in_both(**changes):
    hook = with_timestep(**changes)
    return broken(hook, hook)


class Unclipped(Sumo):
    """Lets a control of 10 push ten times as hard."""

    def step(self, state, action):
        position = state.physics.qpos.reshape(2, 2) + 0.02 * action
        state = _state(state.key, position, state.step_count + 1)
        return state, self._timestep(state)


class Careless(Sumo):
    """Its start depends on nothing, and neither does its key."""

    def reset(self, key, phase=None):
        return super().reset(jax.random.key(0))


class OneStream(Sumo):
    """Its starts differ, but from there on all arenas would draw the same numbers."""

    def reset(self, key, phase=None):
        state, timestep = super().reset(key)
        return state.replace(key=jax.random.key(0)), timestep


class Dice(Sumo):
    """Draws from a source that is no function of its inputs."""

    def __init__(self):
        self.random = np.random.default_rng(0)

    def step(self, state, action):
        state, timestep = super().step(state, action)
        shape = jax.ShapeDtypeStruct((2,), jnp.float32)
        noise = jax.pure_callback(
            lambda _: self.random.uniform(size=2).astype(np.float32), shape, state.step_count, vmap_method="sequential"
        )
        return state, timestep.replace(reward=noise)


ZEROS = jnp.zeros(2)
SEAT = jnp.arange(2.0)
BROKEN = {
    "no version": (broken(version=None), "an arena needs a version"),
    "observation too long": (
        broken(observation_size=3),
        r"observation of reset is float32\[2, 4\], not float32\[2, 3\]",
    ),
    "observation of step too short": (
        broken(None, with_timestep(observation=lambda s, t: t.observation[:, :3])),
        r"observation of step is float32\[2, 3\], not float32\[2, 4\]",
    ),
    "one reward for all": (in_both(reward=lambda s, t: t.reward.sum()), r"reward of reset is float32\[\], not"),
    "half precision reward": (
        in_both(reward=lambda s, t: t.reward.astype(jnp.float16)),
        r"reward of reset is float16\[2\], not float32\[2\]",
    ),
    "integer end": (
        in_both(terminated=lambda s, t: jnp.int32(t.terminated)),
        r"terminated of reset is int32\[\], not bool",
    ),
    "metric per agent": (in_both(metrics=lambda s, t: {"x": ZEROS}), r"metric x of reset has shape \(2,\), not \(\)"),
    "metric only in step": (
        broken(None, with_timestep(metrics=lambda s, t: t.metrics | {"x": jnp.zeros(())})),
        "the time step has other parts after step than after reset",
    ),
    "state with a Python number": (
        broken(None, lambda s, t: (s.replace(step_count=jnp.where(t.terminated, 0, 1)), t)),
        r"the state's .step_count has the type of a Python number .* make it jnp.int32",
    ),
    "state changes its type": (
        broken(None, lambda s, t: (s.replace(step_count=s.step_count.astype(jnp.float32)), t)),
        r"the state's .step_count is int32\[\] after reset, but float32\[\] after step",
    ),
    "reset ignores its key": (Careless(), "reset ignores its key"),
    "one random stream": (OneStream(), "arenas share a random stream"),
    "starts ended": (in_both(truncated=lambda s, t: jnp.bool_(True)), "reset returned a match that has already ended"),
    "starts late": (
        broken(lambda s, t: (s.replace(step_count=jnp.int32(1)), t)),
        "step_count must be 0 after reset",
    ),
    "clock stands still": (
        broken(None, lambda s, t: (s.replace(step_count=s.step_count * 0), t)),
        "step_count must rise by 1",
    ),
    "random": (Dice(), "step is not deterministic"),
    "actions are not clipped": (Unclipped(), r"step must clip its action to \[-1, 1\]"),
    "observation not a number": (
        broken(None, with_timestep(observation=lambda s, t: jnp.log(t.observation + 0.8))),
        "physics, observation or reward is not finite at step",
    ),
    "infinite speed": (
        broken(None, lambda s, t: (s.replace(physics=s.physics.replace(qpos=s.physics.qpos / (s.step_count < 3))), t)),
        "physics, observation or reward is not finite at step 2",
    ),
    "metric not a number": (in_both(metrics=lambda s, t: {"x": jnp.log(-1.0)}), "metric x is not finite"),
    "both win": (
        in_both(outcome=lambda s, t: jnp.abs(t.outcome)),
        "the outcomes of a rated match must add up to 0",
    ),
    "outcome in points": (in_both(outcome=lambda s, t: 3 * t.outcome), r"outcome must lie in \[-1, 1\]"),
    "decided and out of time": (
        broken(None, with_timestep(truncated=lambda s, t: t.terminated | t.truncated)),
        "terminated and truncated exclude each other",
    ),
    "seats in world coordinates": (
        in_both(observation=lambda s, t: t.observation + 0.5 * SEAT[:, None]),
        "mean of observation . after reset differs between seats 0 and 1",
    ),
    "seats see different noise": (
        in_both(observation=lambda s, t: t.observation * (1 + SEAT[:, None])),
        "mean square of observation . after reset differs between seats 0 and 1",
    ),
    "seat after step": (
        broken(None, with_timestep(observation=lambda s, t: t.observation.at[:, 2].add(SEAT))),
        "mean of observation 2 after step differs between seats 0 and 1",
    ),
    "one seat is paid": (
        broken(None, with_timestep(reward=lambda s, t: t.reward + 0.1 * SEAT)),
        "mean of the reward differs between seats 0 and 1",
    ),
    "no legal choice": (
        broken(base=Grid, mask=jnp.zeros(3, bool)),
        "action_mask leaves an agent without a legal choice",
    ),
    "mask too short": (
        broken(base=Grid, mask=jnp.ones(2, bool)),
        r"action_mask of reset is bool\[2, 2\], not bool\[2, 3\]",
    ),
}


@pytest.mark.parametrize("arena", [Sumo(), Grid()], ids=["Box", "Discrete"])
def test_a_sound_arena_passes(arena):
    check_arena(arena)


def test_no_two_random_streams_of_a_check_come_from_each_other():
    seen = set()

    class Listening(Sumo):
        def reset(self, key, phase=None):
            jax.debug.callback(lambda data: seen.add(tuple(data.tolist())), jax.random.key_data(key))
            return super().reset(key)

    check_arena(Listening(), num_arenas=4, num_steps=2)
    jax.effects_barrier()
    keys = jax.random.wrap_key_data(jnp.array(sorted(seen), jnp.uint32))
    derived = jax.random.key_data(jax.vmap(lambda key: jax.random.split(key, 8))(keys)).reshape(-1, 2)
    assert len(seen) == 4 + 4 + 64 * 4 and seen.isdisjoint(map(tuple, derived.tolist()))


@pytest.mark.parametrize("seed", [1, 2])
def test_seats_that_differ_by_chance_alone_pass(seed):
    check_arena(Sumo(), num_steps=2, seed=seed)


@pytest.mark.parametrize(("arena", "fault"), BROKEN.values(), ids=BROKEN)
def test_a_broken_arena_fails_with_its_fault(arena, fault):
    with pytest.raises(AssertionError, match=fault):
        check_arena(arena, num_steps=16)
