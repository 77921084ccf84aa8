"""Quantized frames: sampling, normalization, projection."""
