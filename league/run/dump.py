"""What is kept of arenas whose physics left the finite numbers."""

from pathlib import Path

import jax
import numpy as np

from league.run import team
from league.run.host_state import fetched
from league.selfplay import RunState


def dump_nonfinite(state: RunState, path: Path) -> None:
    """Writes the last non-finite arena of each device, one step before it was that, to an `.npz`. Raises OSError.

    All processes of the run must call it; the first writes.
    """
    broken = fetched(state.matches.broken)
    if not team.is_first():
        return
    physics = jax.tree.leaves_with_path(broken.physics)
    arrays = {jax.tree_util.keystr(keys, simple=True) or "physics": leaf for keys, leaf in physics}
    np.savez(path, allow_pickle=False, seen=broken.seen, action=broken.action, **arrays)
