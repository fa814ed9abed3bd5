"""Writes a run's policy to one small file; `python scripts/export.py --help` says how."""

from league.commands.app import main

if __name__ == "__main__":
    main("export")
