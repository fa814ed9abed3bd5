"""Runs one trainer and prints its progress: `python benchmarks/trainers.py NAME [--steps N] [--goal RETURN]`.

Prints a line of JSON, `{"seconds", "arena_steps", "episode_return"}`, after each update; seconds count from the
trainer's start, compilation included. Ends after `--steps` arena steps, after `--seconds`, or once the mean return of
the latest 100 or so episodes reaches `--goal`.
"""

import argparse
import functools
import json
import math
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

ARENAS, HORIZON, EPOCHS, MINIBATCHES = 768, 24, 4, 6  # samples of one update: 768 x 24, in minibatches of 3072
HIDDEN, LEARNING_RATE = (128, 128), 1e-3
DISCOUNT, GAE_LAMBDA, ENTROPY, CLIP, MAX_GRAD_NORM, VALUE_COEFFICIENT = 0.995, 0.95, 0.004, 0.2, 1.0, 1.0
SB3_ENVIRONMENTS = (16, 64, 256)
OPPONENTS = (1, 8, 64)
LEAGUE_ARENAS = 1024
LEAGUE_STEPS = LEAGUE_ARENAS * HORIZON  # arena steps of an iteration of the league

# Takes the arena steps so far and the mean return; ends the process at a limit.
Report = Callable[[int, float | None], None]


def ours(engine: str, report: Report) -> None:
    """Trains `Stand` with this project."""
    from mjx_arena import devices, registry
    from mjx_arena.physics import PhysicsSettings

    physics = PhysicsSettings(engine=engine)
    devices.configure(1 if physics.one_device else None, num_dofs=20)  # the duel's bodies
    from stand import Stand, StandSettings

    from league.settings import RunSettings
    from ppo.settings import PPOSettings

    registry.register(Stand)
    ppo = PPOSettings(
        horizon=HORIZON, epochs=EPOCHS, num_minibatches=MINIBATCHES, gamma=DISCOUNT, gae_lambda=GAE_LAMBDA,
        clip_epsilon=CLIP, entropy_coefficient=ENTROPY, max_grad_norm=MAX_GRAD_NORM, actor_hidden=HIDDEN,
        critic_hidden=HIDDEN, value_coefficient=VALUE_COEFFICIENT, learning_rate=LEARNING_RATE,
        optimizer="adam", bound_coefficient=0.0,  # as the others have it
    )  # fmt: skip
    _train(RunSettings(StandSettings(), physics, ppo, num_arenas=ARENAS), report)


def league(opponents: int, report: Report) -> None:
    """Trains the duel, the learner in one seat of every arena and one of `opponents` members in the other."""
    from mjx_arena import devices

    devices.configure(1)
    from league.settings import LeagueSettings, RunSettings
    from mjx_arena.physics import PhysicsSettings
    from mjx_arena.tasks.humanoid_duel import HumanoidDuelSettings

    # One slot more than there are opponents: the member that the next snapshot overwrites is no longer drawn.
    pool = LeagueSettings(
        player_pool_length=opponents + 1, snapshot_interval=1, mirror_fraction=0.0, matchmaker="uniform"
    )
    physics = PhysicsSettings(engine="native")
    _train(RunSettings(HumanoidDuelSettings(), physics, league=pool, num_arenas=LEAGUE_ARENAS), report)


def _train(settings, report: Report) -> None:
    import jax

    from league.selfplay import SelfPlay

    trainer = SelfPlay(settings)
    state, steps, window = trainer.init(), 0, deque()
    while True:
        state, metrics = trainer.iterate(state)
        steps += settings.arena_steps_per_iteration
        ended, mean = (float(x) for x in jax.device_get((metrics["matches"], metrics["episode_return"])))
        window.append((ended, mean if ended else 0.0))
        while sum(count for count, _ in window) - window[0][0] >= 100:
            window.popleft()
        total = sum(count for count, _ in window)
        report(steps, sum(count * mean for count, mean in window) / total if total else None)


def brax(report: Report, learning: bool = False) -> None:
    """Trains `Stand` with brax; `learning` makes it log returns, which costs it speed."""
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    def device_put_replicated(tree, targets):  # brax 0.14.2 calls what jax 0.10 no longer has
        sharding = NamedSharding(Mesh(np.array(targets), ("devices",)), PartitionSpec("devices"))
        return jax.tree.map(lambda x: jax.device_put(np.stack([x] * len(targets)), sharding), tree)

    if not hasattr(jax, "device_put_replicated"):
        jax.device_put_replicated = device_put_replicated
    from brax.envs.base import Env, State
    from brax.training.agents.ppo import networks, train
    from stand import CONTROLS, OBSERVATIONS, TIME_LIMIT, Stand, StandSettings

    from mjx_arena.physics import PhysicsSettings

    arena = Stand(StandSettings(), PhysicsSettings())

    class BraxStand(Env):
        """The arena's physics, with brax's own batching, resets and time limit."""

        observation_size, action_size, backend = OBSERVATIONS, CONTROLS, "mjx"

        def reset(self, rng):
            state, seen = arena.reset(rng)
            return State(state, seen.observation[0], jax.numpy.zeros(()), jax.numpy.zeros(()), {}, {})

        def step(self, state, action):
            inner, seen = arena.step(state.pipeline_state, action[None])
            done = seen.terminated.astype(jax.numpy.float32)
            return state.replace(pipeline_state=inner, obs=seen.observation[0], reward=seen.reward[0], done=done)

    def progress(steps: int, metrics: dict[str, Any]) -> None:
        value = metrics.get("episode/sum_reward")
        if steps:
            report(int(steps), None if value is None else float(value))

    train.train(
        BraxStand(), num_timesteps=10**9, num_evals=10**9 // (ARENAS * HORIZON) // 4, run_evals=False,
        episode_length=TIME_LIMIT, num_envs=ARENAS, unroll_length=HORIZON, batch_size=ARENAS // MINIBATCHES,
        num_minibatches=MINIBATCHES, num_updates_per_batch=EPOCHS, learning_rate=LEARNING_RATE, entropy_cost=ENTROPY,
        discounting=DISCOUNT, gae_lambda=GAE_LAMBDA, clipping_epsilon=CLIP, max_grad_norm=MAX_GRAD_NORM,
        normalize_observations=True, progress_fn=progress, log_training_metrics=learning,
        training_metrics_steps=ARENAS * HORIZON * 4,
        network_factory=functools.partial(
            networks.make_ppo_networks, policy_hidden_layer_sizes=HIDDEN, value_hidden_layer_sizes=HIDDEN,
            activation=jax.numpy.tanh,
        ),
    )  # fmt: skip


def stable_baselines3(environments: int, report: Report) -> None:
    """Trains `StandEnv` with Stable-Baselines3, in so many environments."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
    from stand import StandEnv

    class Progress(BaseCallback):
        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:  # called when the update before it is done
            returns = [episode["r"] for episode in self.model.ep_info_buffer or ()]
            if self.num_timesteps:
                report(self.num_timesteps, sum(returns) / len(returns) if returns else None)

    horizon = ARENAS * HORIZON // environments
    vectorised = DummyVecEnv([lambda: Monitor(StandEnv()) for _ in range(environments)])
    PPO(
        "MlpPolicy", VecNormalize(vectorised, norm_reward=False), n_steps=horizon, n_epochs=EPOCHS,
        batch_size=ARENAS * HORIZON // MINIBATCHES,
        learning_rate=LEARNING_RATE, gamma=DISCOUNT, gae_lambda=GAE_LAMBDA, clip_range=CLIP, ent_coef=ENTROPY,
        max_grad_norm=MAX_GRAD_NORM, vf_coef=VALUE_COEFFICIENT, device="cpu",
        policy_kwargs={"net_arch": {"pi": list(HIDDEN), "vf": list(HIDDEN)}, "activation_fn": torch.nn.Tanh},
    ).learn(10**9, callback=Progress())  # fmt: skip


TRAINERS: dict[str, Callable[[Report], None]] = {
    "native": functools.partial(ours, "native"),
    "mjx": functools.partial(ours, "mjx"),
    "brax": brax,
} | {f"sb3-{count}": functools.partial(stable_baselines3, count) for count in SB3_ENVIRONMENTS}
LEAGUES = {f"league-{count}": functools.partial(league, count) for count in OPPONENTS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=(*TRAINERS, *LEAGUES))
    parser.add_argument("--steps", type=float, default=math.inf)
    parser.add_argument("--goal", type=float, default=math.inf)
    parser.add_argument("--seconds", type=float, default=math.inf)
    wanted = parser.parse_args()
    started = time.monotonic()

    def report(arena_steps: int, episode_return: float | None) -> None:
        now = time.monotonic() - started
        print(json.dumps({"seconds": now, "arena_steps": arena_steps, "episode_return": episode_return}), flush=True)
        learned = episode_return is not None and episode_return >= wanted.goal
        if learned or arena_steps >= wanted.steps or now >= wanted.seconds:
            os._exit(0)  # some trainers turn an exception into an error of their own

    if wanted.name == "brax" and wanted.goal < math.inf:
        brax(report, learning=True)  # logging returns costs it speed
    else:
        (TRAINERS | LEAGUES)[wanted.name](report)


if __name__ == "__main__":
    main()
