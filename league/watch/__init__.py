"""Matches in a browser while they are played: a guarded viewer, the match on the clock, players, and the panel."""
