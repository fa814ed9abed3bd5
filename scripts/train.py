"""Trains a task by self-play; `python scripts/train.py --help` says how."""

from league.commands.app import main

if __name__ == "__main__":
    main("train")
