"""Classifier heads: hidden layers, gates, mixture of experts."""
