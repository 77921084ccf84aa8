"""Messages of a stage: what begins, what was made, what to do next."""
