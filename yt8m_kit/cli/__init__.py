"""The command line: one file for each area of verbs."""
