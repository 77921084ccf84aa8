"""How anything is written: files, progress, tables."""
