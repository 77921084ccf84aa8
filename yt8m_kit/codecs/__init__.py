"""Weight quantization: encoded in numpy, decoded by graph operations."""
