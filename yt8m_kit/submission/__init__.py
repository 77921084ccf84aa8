"""Submission: the CSV, the ledger of submissions, Kaggle."""
