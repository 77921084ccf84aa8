"""Shards to rows of a batch."""
