"""A blend as one ONNX file."""
