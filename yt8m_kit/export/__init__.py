"""A blend as one graph: SavedModel or the starter's archive."""
