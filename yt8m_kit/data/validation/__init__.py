"""Statistics of a split as a whole, and what in them speaks against its Dataset or its use."""
