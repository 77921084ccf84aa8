"""Output: atomic files, progress, tables."""
