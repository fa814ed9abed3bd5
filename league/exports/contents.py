"""What an exported file holds, whatever its format: the policy, and a description of it in plain data for JSON."""

from typing import Any, NamedTuple

import jax

from league.config.compose import to_mapping
from league.evaluation import policy_file
from league.evaluation.sources import Contestant
from league.run import folder as run_folder
from league.settings import RunSettings
from mjx_arena.arena import Arena
from mjx_arena.types import Box, Discrete
from ppo.policy import Policy, PolicyState


class Contents(NamedTuple):
    """A policy, and how it is to act."""

    policy: Policy
    state: PolicyState
    masked: bool  # the game says which choices are legal
    sampled: bool  # actions are drawn by noise; false: the most likely ones
    about: dict[str, Any]  # what `describe` returns
    interfaces: dict[str, dict[str, Any]]  # what it needs in other simulators, see `Arena.interfaces`

    @property
    def inputs(self) -> dict[str, tuple[int, str]]:
        """Returns the inputs of a program that acts, `{name: (size, type)}`; each has a batch axis before its own."""
        size = self.policy.action.size
        found = {"observation": (self.policy.observation_size, "float32")}
        if self.masked:
            found["mask"] = (size, "bool")
        if self.sampled:
            found["noise"] = (size, "float32")
        return found


def of(contestant: Contestant, settings: RunSettings, arena: Arena, sampled: bool) -> Contents:
    """Returns what a file of `contestant`, a policy of a run with `settings`, holds."""
    about = describe(contestant, settings, arena)
    return Contents(contestant.policy, contestant.state, about["masked"], sampled, about, arena.interfaces())


def describe(contestant: Contestant, settings: RunSettings, arena: Arena) -> dict[str, Any]:
    """Returns the description that the file carries beside the policy."""
    _, timestep = jax.eval_shape(arena.reset, jax.random.key(0))
    seats = arena.view.seats or [f"seat {index}" for index in range(arena.num_agents)]
    sides = arena.names_of_sides
    about = {
        "task": to_mapping(settings)["task"],
        "task_version": arena.version,
        "control_dt": arena.control_dt,
        "seats": list(seats[: arena.num_agents]),
        "sides": [sides[side] for side in arena.sides] if sides else [],
        "action_names": list(arena.action_names),
        "masked": isinstance(arena.action, Discrete) and timestep.action_mask is not None,
        "noise": "normal" if isinstance(arena.action, Box) else "gumbel",
        "role": contestant.role,
        "iteration": contestant.iteration,
        "arena_steps": contestant.arena_steps,
        "versions": run_folder.versions(),
    }
    return policy_file.describe(contestant.policy, about)
