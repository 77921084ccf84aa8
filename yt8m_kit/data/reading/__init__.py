"""Read records of shards into the rows of a batch."""
