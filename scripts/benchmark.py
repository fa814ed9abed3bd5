"""Measures physics, arena and training steps per second; `python scripts/benchmark.py --help` says how."""

from league.commands.app import main

if __name__ == "__main__":
    main("benchmark")
