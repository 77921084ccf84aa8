"""Pooling layers: frames to a vector per video."""
