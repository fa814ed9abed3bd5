"""The commands train, evaluate, record, export, plot and benchmark: each a function, and a Hydra application."""
