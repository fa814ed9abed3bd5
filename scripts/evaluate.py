"""Plays frozen policies against each other; `python scripts/evaluate.py --help` says how."""

from league.commands.app import main

if __name__ == "__main__":
    main("evaluate")
