"""Mirrors to verified shards on disk."""
