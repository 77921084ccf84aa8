"""Parse and serialize records: TFRecord framing, protobuf messages, SequenceExamples."""
