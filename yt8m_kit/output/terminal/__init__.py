"""What only a terminal gets: tables that fit its width, colours, a spinner; laid out by Rich."""
