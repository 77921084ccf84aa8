"""Networks by name, from images or log-mel patches to feature vectors."""
