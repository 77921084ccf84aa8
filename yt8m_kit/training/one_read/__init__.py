"""Several members trained at the same time from one read: a process that reads, and one for each member."""
