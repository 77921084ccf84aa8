"""Engines: run the stage graph on this machine, or on a cluster."""
