"""Scores: validation, evaluation, the local leaderboard."""
