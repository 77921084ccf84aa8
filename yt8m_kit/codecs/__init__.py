"""Weights as codes: encoded in numpy, decoded by graph operations."""
