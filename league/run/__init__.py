"""What a run does around learning: its loop, folder, checkpoints, logs, films, milestones and signals."""
