"""Choose members and weights of a blend within a byte budget."""
