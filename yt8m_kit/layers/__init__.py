"""What the families are made of: keras.ops only, so that the same layers run on TensorFlow and on JAX."""
