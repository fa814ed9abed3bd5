"""A game whose physics breaks on command: the balls of the example, one of which leaves the numbers in BAD_STEP.

It can be imported, or given as `game_file`.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp

BAD_STEP = 7
_EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "ball_sumo.py"
_spec = importlib.util.spec_from_file_location("example_of_exploding_balls", _EXAMPLE)
balls = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(balls)


@dataclass(frozen=True)
class ExplodingSettings(balls.BallSumoSettings):
    name: str = "exploding_balls"
    start_distance: float = 1.0


class Exploding(balls.BallSumo):
    """After step BAD_STEP of a match in which the first ball is at x > 0, speeds and the term `push` are NaN."""

    settings_type = ExplodingSettings

    def step(self, state, action):
        state, timestep = super().step(state, action)
        bad = (state.step_count == BAD_STEP) & (state.physics.qpos[0] > 0)
        qvel, push = (jnp.where(bad, jnp.nan, x) for x in (state.physics.qvel, timestep.metrics["reward/push"]))
        state = state.replace(physics=state.physics.replace(qvel=qvel))
        return state, timestep.replace(metrics=timestep.metrics | {"reward/push": push}, reward=timestep.reward + push)
