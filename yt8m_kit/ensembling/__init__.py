"""Members and weights of a blend under a byte budget."""
