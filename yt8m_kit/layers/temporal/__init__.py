"""Layers over the order of frames."""
