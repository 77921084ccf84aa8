"""Records: format, reading, loading and downloading; conversion, synthesis and verification."""
