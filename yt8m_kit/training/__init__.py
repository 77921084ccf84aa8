"""Records to weights: the training loop, averaging, checkpoints."""
