"""Features of video files: decoding, networks, the scale of their bytes, shards."""
