"""Help of a verb as plain text."""
