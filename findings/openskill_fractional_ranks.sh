#!/usr/bin/env bash
# Behaviour: PlackettLuce.rate of OpenSkill takes `ranks: list[float]` and cuts each to a whole number: ranks 1.0, 1.4 and
#   1.8 are a tie of three, and the winner gains nothing over the last. ThurstoneMostellerFull of the same package keeps
#   their order.
# Guess before running it: only the order of ranks counts, whatever their distance.
# Versions: openskill 6.2.0. Date: 2026-11-29. Source: running it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check openskill==6.2.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import sys
from openskill.models import PlackettLuce, ThurstoneMostellerFull
gains = {}
for model in (PlackettLuce(), ThurstoneMostellerFull()):
    for ranks in ([1, 2, 3], [1.0, 1.4, 1.8]):
        [first], _, [last] = model.rate([[model.rating()] for _ in range(3)], ranks=ranks)
        gains[type(model).__name__, tuple(ranks)] = first.mu - last.mu
        print(f"{type(model).__name__} {ranks}: first minus last {first.mu - last.mu:.3f}")
tied, ordered = gains["PlackettLuce", (1.0, 1.4, 1.8)], gains["PlackettLuce", (1, 2, 3)]
other = gains["ThurstoneMostellerFull", (1.0, 1.4, 1.8)]
sys.exit(0 if abs(tied) < 1e-9 < 1 < ordered and other > 1 else 1)
PYTHON
