"""Writes a page about a run; `python scripts/report.py --help` says how."""

from league.commands.app import main

if __name__ == "__main__":
    main("report")
