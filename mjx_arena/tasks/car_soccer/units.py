"""Units of car soccer, and the conventions of its physics, which runs in closed form 120 times a second.

Lengths are in uu (unreal units, 0.01 m), angles in rad, times in s. The engine integrates cars and ball and the
contacts between them; everything else changes velocities before and after each of its steps. Constants and the
order of events are those of RocketSim (github.com/ZealanL/RocketSim); tests compare with its trajectories.
Steering and rolling to the right turn from x to y, as in the game, whose y axis lies to the right of x.
"""

TICK = 1 / 120  # s
METRE = 0.01  # m in the engine per uu
GRAVITY = 650.0  # uu/s^2
