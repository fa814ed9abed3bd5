"""What a person does: train, evaluate, record, export, plot, benchmark; each a function, and a command by Hydra."""
