"""Records: their format, reading, loading, downloading, and the verbs that look after them."""
