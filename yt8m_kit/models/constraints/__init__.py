"""Constraints between a family's hyperparameters and the data set, one family per file; free of Keras.

check(dataset, **hyperparameters) raises UsageError for those that do not fit together.
"""
