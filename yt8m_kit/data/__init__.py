"""Records: their framing and wire format, an exact reader, and a synthesized data set."""
