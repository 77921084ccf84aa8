"""Submission to Kaggle; the kaggle package is imported only when one of these verbs runs."""
