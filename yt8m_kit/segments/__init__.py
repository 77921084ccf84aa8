"""The task of 2019: segments ranked for each class."""
