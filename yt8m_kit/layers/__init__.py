"""Layers of the families, in keras.ops only: the same code runs on TensorFlow and on JAX."""
