"""Export a blend as one graph: SavedModel, or archive of the 2018 starter code."""
