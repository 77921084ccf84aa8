"""Published settings of families that have several, as hyperparameters; free of Keras, for recipes."""
