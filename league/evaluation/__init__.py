"""Frozen policies: where they come from, the matches that they play, and what these say of them."""
