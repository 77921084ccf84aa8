"""The CSV, and the ledger of what was submitted."""
