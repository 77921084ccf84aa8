"""Frames as bytes, their sampling and normalization."""
