"""Load shuffled, resumable batches."""
