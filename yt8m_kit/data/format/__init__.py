"""Bytes to videos and back: TFRecord framing, protobuf messages, SequenceExamples."""
