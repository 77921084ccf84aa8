"""Inference: predictors, passes over a split, predictions and soft labels."""
