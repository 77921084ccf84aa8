"""Records in object stores (gs, s3, https): list them, and copy whole objects to memory or a local cache."""
