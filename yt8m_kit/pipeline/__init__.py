"""The stage graph: dependencies, state and execution of every product."""
