"""The task of 2019: rank segments per class."""
