"""The stage graph: what every product is made from, whether it is up to date, and how it is made."""
