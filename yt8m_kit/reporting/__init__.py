"""What people read: reports, tables, checks."""
