"""Films a run's policy, and saves trajectories; `python scripts/record.py --help` says how."""

from league.commands.app import main

if __name__ == "__main__":
    main("record")
