"""An exported graph over HTTP, in TensorFlow Serving's REST shape."""
