"""Proximal policy optimisation alone: opponents, checkpoints and logs belong to `league`."""
