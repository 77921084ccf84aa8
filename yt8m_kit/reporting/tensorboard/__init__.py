"""The training curves and scores of a recipe in TensorBoard."""
