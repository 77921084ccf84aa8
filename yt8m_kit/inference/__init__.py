"""A model over a split: predictors, the sweep, predictions and soft labels."""
