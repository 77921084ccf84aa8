"""Size-constrained video classification on frame features: train, blend, export, submit."""
