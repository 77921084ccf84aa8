"""LiteRT model (.tflite) of a blend: one file, batch 1, 8-bit weights, operations that phones have."""
