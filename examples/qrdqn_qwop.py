"""QR-DQN of sb3-contrib on `qwop`, unchanged, through Gymnasium: `python examples/qrdqn_qwop.py --steps 1000000`.

Needs the extra `sb3`. Prints the same figures as `scripts/evaluate.py` does of a run, and saves the model.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sb3_contrib import QRDQN
from stable_baselines3.common.vec_env import VecMonitor

from mjx_arena.gym import ArenaVectorEnv
from mjx_arena.gym.sb3 import ArenaVecEnv

NUM_ENVS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000, help="control steps of training")
    parser.add_argument("--matches", type=int, default=100, help="episodes of the evaluation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/qrdqn_qwop"), help="folder for the model and its scores")
    args = parser.parse_args()

    torch.set_num_threads(1)  # networks this small gain nothing from more
    model = QRDQN(
        "MlpPolicy",
        VecMonitor(ArenaVecEnv("qwop", NUM_ENVS)),
        learning_rate=5e-4,
        gamma=0.995,
        batch_size=256,
        buffer_size=200_000,
        learning_starts=10_000,
        train_freq=4,  # steps of every environment between two rounds of updates
        gradient_steps=16,
        target_update_interval=5_000,
        exploration_fraction=0.3,
        exploration_final_eps=0.02,
        policy_kwargs={"net_arch": [256, 256], "n_quantiles": 50},
        verbose=1,
        seed=args.seed,
    )
    began = time.perf_counter()
    model.learn(args.steps, log_interval=200)
    scores = {"control_steps": args.steps, "minutes": (time.perf_counter() - began) / 60}
    scores |= evaluate(model, args.matches, args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    model.save(args.out / "model.zip")
    (args.out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    print(json.dumps(scores, indent=1))


def evaluate(model: QRDQN, matches: int, seed: int) -> dict[str, float]:
    """One episode in each of as many environments, with the choice of the highest mean."""
    env = ArenaVectorEnv("qwop", num_envs=matches)
    seen, _ = env.reset(seed=1000 + seed)
    outcome, length, distance = np.zeros(matches), np.zeros(matches), np.zeros(matches)
    step = 0
    while (length == 0).any():
        seen, _, terminated, truncated, info = env.step(model.predict(seen, deterministic=True)[0])
        step += 1
        first = (terminated | truncated) & (length == 0)
        for index in first.nonzero()[0]:
            length[index], outcome[index] = step, info["final_info"]["outcome"][index]
            distance[index] = info["final_info"]["last/distance"][index]
    return env.arena.report(outcome, length, {"last/distance": distance}) | {"success": float((outcome > 0).mean())}


if __name__ == "__main__":
    main()
