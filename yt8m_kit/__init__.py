"""Size-constrained video classification on frame features: train, blend, export, submit."""

__version__ = "0.2.0"
