"""Prints what the table of car soccer's actions can do: `python scripts/inspect_actions.py`."""

import numpy as np

from mjx_arena.tasks.car_soccer.actions import IDLE, NAMES, NUM_ROWS, TABLE


def main() -> None:
    print(f"{NUM_ROWS} rows of {', '.join(NAMES)}; row {IDLE} holds nothing, and is played for an illegal one")
    for index, name in enumerate(NAMES):
        values, counts = np.unique(TABLE[:, index], return_counts=True)
        print(
            f"{name:>10}: " + ", ".join(f"{value:+g} in {count}" for value, count in zip(values, counts, strict=True))
        )
    steer, turning = TABLE[:, NAMES.index("steer")], (TABLE[:, 1:5] != 0).any(1)
    print(f"turning left in {(steer < 0).sum()} rows, right in {(steer > 0).sum()}; about any axis in {turning.sum()}")


if __name__ == "__main__":
    main()
