"""Draws the learning curves of runs; `python scripts/plot.py --help` says how."""

from league.commands.app import main

if __name__ == "__main__":
    main("plot")
