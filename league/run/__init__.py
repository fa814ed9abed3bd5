"""What a run does beside learning: its loop, folder, checkpoints, logs, videos, milestones and signals."""
