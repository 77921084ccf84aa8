"""How the process of a command line starts, writes and ends."""
