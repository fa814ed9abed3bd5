#!/usr/bin/env bash
# Behaviour: RocketSim's ball, set in mid-air without velocity, does not fall. It stays where it is, at any height, until
#   something touches it; with a millionth of a unit of velocity it falls as one would expect. So a start with the ball
#   "at rest" above the ground, kick-offs among them, is another one than in a simulator with gravity for all bodies.
# Guess before running it: gravity moves a ball whose state was set, with or without velocity.
# Versions: RocketSim 2.2.1 (Python), NumPy 1.26.4. Date: 2026-11-30. Source: a match that began in both simulators.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rocketsim==2.2.1 numpy==1.26.4
cat > "$folder/drop.py" <<'PYTHON'
import RocketSim as rs

fallen = {}
for speed in (0.0, 1e-6):
    arena = rs.Arena(rs.GameMode.THE_VOID)
    arena.ball.set_state(rs.BallState(pos=rs.Vec(0, 0, 1000), vel=rs.Vec(speed, 0, 0)))
    arena.step(120)
    fallen[speed] = 1000 - arena.ball.get_state().pos.z
    print(f"speed {speed:g}: fell {fallen[speed]:.1f} uu in a second")
assert fallen[0.0] == 0.0 and fallen[1e-6] > 300
PYTHON
"$folder/venv/bin/python" "$folder/drop.py"
