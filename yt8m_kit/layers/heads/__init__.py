"""Vectors to class probabilities."""
