"""Reports, score tables and checks for people to read."""
