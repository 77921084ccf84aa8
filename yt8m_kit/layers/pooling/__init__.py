"""Frames to one vector."""
