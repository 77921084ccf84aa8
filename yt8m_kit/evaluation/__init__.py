"""Scores: validation, evaluation, the local board."""
