"""Films matches of a run's policy: `python scripts/record.py run=<run folder> out=match.mp4`."""

from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as imageio
import jax
import numpy as np

from league import config
from league.command import refuse_other_keys, run_script, take_own_keys
from mjx_arena import compilation_cache, devices
from mjx_arena.settings import require

CONF = Path(__file__).resolve().parent.parent / "conf"
PURPOSE = """Films matches of a run's policy against itself or its past. Own keys:
  run: ???  # a run's folder, or a file that export.py wrote
  out: match.mp4  # .mp4 for a film, .png for a strip of stills
  checkpoint: null  # iteration of the policy; null: the newest
  pairing: mirror  # of conf/evaluation/<task>.yaml
  matches: 1
  physics: null  # engine to play on; null: the run's own
  seed: 0
  sampled: true  # actions sampled as in training; false: the most likely ones
  stills: 6  # pictures in a strip, spread over the matches"""
EXAMPLES = ("python scripts/record.py run=runs/humanoid_duel/2026-01-31_12-00-00 out=match.png",)


@dataclass(frozen=True)
class RecordSettings:
    run: str
    out: str = "match.mp4"
    checkpoint: int | None = None
    pairing: str = "mirror"
    matches: int = 1
    physics: str | None = None
    seed: int = 0
    sampled: bool = True
    stills: int = 6


def main(overrides: list[str]) -> int:
    own, rest = take_own_keys(overrides, RecordSettings)
    refuse_other_keys(rest)
    for key in ("matches", "stills"):
        require(getattr(own, key) >= 1, key, getattr(own, key), "must be at least 1")
    out = Path(own.out)
    require(out.suffix in (".mp4", ".png"), "out", own.out, "must end in .mp4 or .png")
    devices.configure(1)

    from league.evaluation import Evaluation  # brings in the physics engines: only once the settings are known to work
    from league.sources import open_source
    from mjx_arena.render import FOLLOWING, render

    source = open_source(own.run, own.checkpoint, own.physics)
    if source.settings.compilation_cache:
        compilation_cache.enable()
    pairing = config.load_pairings(CONF, source.settings.task_name, (own.pairing,))[own.pairing]
    evaluation = Evaluation(source, devices.make_mesh(1), own.matches, own.sampled)
    matches = evaluation.film(pairing, jax.random.key(own.seed))
    poses = np.concatenate(matches)
    arena = source.arena
    view = getattr(arena, "view", FOLLOWING)
    if out.suffix == ".png":
        chosen = poses[np.linspace(0, len(poses) - 1, own.stills).round().astype(int)]
        imageio.imwrite(out, np.concatenate(list(render(arena.mj_model, chosen, 320, 320, view)), axis=1))
    else:
        frames_per_second = round(1 / arena.control_dt)
        imageio.imwrite(out, np.stack(list(render(arena.mj_model, poses[::2], view=view))), fps=frames_per_second / 2)
    lengths = ", ".join(f"{len(match) * arena.control_dt:.1f} s" for match in matches)
    print(f"wrote {out}: {len(matches)} matches ({lengths})")
    return 0


if __name__ == "__main__":
    run_script(main, PURPOSE, CONF, EXAMPLES)
