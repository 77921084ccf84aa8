"""Rows to shuffled, resumable batches."""
