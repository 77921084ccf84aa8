"""Bytes by tensor: sizes, measured errors, allocation, calibrated codes."""
