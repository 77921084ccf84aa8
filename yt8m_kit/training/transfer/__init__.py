"""Transfer learning: training that starts from the weights of another member."""
