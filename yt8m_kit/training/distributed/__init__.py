"""Data parallelism: one member trained on several devices, of one process or of several hosts."""
