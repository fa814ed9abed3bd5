"""Bodies, and readings of how they move, that several games share."""
