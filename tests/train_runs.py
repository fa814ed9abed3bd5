"""Settings of a small run of `scripts/train.py`, and functions that read its folder."""

import json
import os
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Nearly all of the time of tests goes into compiling programs that run for a moment.
QUICK = {
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    " --xla_cpu_use_fusion_emitters=false"
}
TINY = (
    "num_arenas=8",
    "ppo.horizon=4",
    "ppo.actor_hidden=[16]",
    "ppo.critic_hidden=[16]",
    "ppo.num_minibatches=4",
    "league.roles=[main,main_exploiter]",
    "league.mirror_fraction=0",
    "league.player_pool_length=4",
    "league.snapshot_interval=3",
    "logger.dump_steps=0",  # compiles sooner
    f"devices={os.environ.get('MJX_ARENA_TEST_DEVICES', '1')}",
)
SMALL = f"game_file={ROOT / 'examples' / 'ball_sumo.py'}"  # a game that compiles in a third of the time of the duel
ALONE = "league.roles=[learner]"  # compiles in half the time


def rows_of(folder):
    """Returns the rows of the log without timing, which may differ between equal runs."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if not key.startswith("time/")} for row in rows]


def finished_steps(folder):
    """Returns the steps of finished checkpoints."""
    marks = folder.glob("checkpoints/*/commit_success.txt")  # also in a folder that is about to be renamed
    return sorted(int(path.parent.name) for path in marks if path.parent.name.isdigit())


def wait_until(condition, poll=0.01):
    """Waits up to 300 s for `condition()`."""
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(poll)


def wait_for_rows(folder, count):
    """Waits until the log of a run has `count` rows."""
    log = folder / "metrics.jsonl"
    wait_until(lambda: log.exists() and log.read_text().count("\n") >= count)
