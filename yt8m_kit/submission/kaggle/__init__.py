"""Kaggle's side of a submission; the kaggle package is imported only when one of these verbs runs."""
