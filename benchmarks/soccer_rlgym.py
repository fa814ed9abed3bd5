"""Car soccer of one against one in RLGym on RocketSim, as its users set it up: the table's actions, 8 ticks a step.

RLGym's Rocket League package asks for a NumPy before 2, but runs with 2, so it is installed next to this project by
`pip install --no-deps rlgym==2.0.1 rlgym-api==2.0.0 rlgym-rocket-league==2.0.1 rocketsim`.
"""

import time

import numpy as np

NO_TOUCH, LIMIT = 15.0, 300.0  # s


def rlgym_steps(seconds: float) -> int:
    """Plays random actions of both cars for `seconds`, resets included; returns the number of control steps."""
    from rlgym.api import RLGym
    from rlgym.rocket_league import action_parsers, done_conditions, obs_builders, reward_functions, state_mutators
    from rlgym.rocket_league.sim import RocketSimEngine

    env = RLGym(
        state_mutator=state_mutators.MutatorSequence(
            state_mutators.FixedTeamSizeMutator(blue_size=1, orange_size=1), state_mutators.KickoffMutator()
        ),
        obs_builder=obs_builders.DefaultObs(zero_padding=None),
        action_parser=action_parsers.RepeatAction(action_parsers.LookupTableAction(), repeats=8),
        reward_fn=reward_functions.CombinedReward(
            (reward_functions.GoalReward(), 1.0), (reward_functions.TouchReward(), 1.0)
        ),
        termination_cond=done_conditions.GoalCondition(),
        truncation_cond=done_conditions.AnyCondition(
            done_conditions.NoTouchTimeoutCondition(NO_TOUCH), done_conditions.TimeoutCondition(LIMIT)
        ),
        transition_engine=RocketSimEngine(),
    )
    rng, steps = np.random.default_rng(0), 0
    env.reset()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        _, _, terminated, truncated = env.step({agent: rng.integers(0, 90, (1,)) for agent in env.agents})
        if any(terminated.values()) or any(truncated.values()):
            env.reset()
        steps += 1
    return steps
