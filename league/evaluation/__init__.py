"""Evaluation of frozen policies: where they come from, the matches that they play, and ratings from the results."""
