"""Mistakes of the first hour: in words, recipes, places, records and machines."""
