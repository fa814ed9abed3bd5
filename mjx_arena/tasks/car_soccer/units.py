"""Car soccer but for its rules: what the arena does to cars and ball, in closed form, 120 times a second.

Lengths are in uu (unreal units, 0.01 m), angles in rad, times in s. The engine integrates cars and ball and their
contacts with one another; everything else changes velocities before and after each of its steps. Constants and the
order of events are those of RocketSim (github.com/ZealanL/RocketSim), with whose trajectories the tests compare.
Steering and rolling to the right turn from x to y, as in the game, whose y axis lies to the right of x.
"""

TICK = 1 / 120  # s
METRE = 0.01  # m in the engine per uu
GRAVITY = 650.0  # uu/s^2
