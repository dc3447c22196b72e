"""Thin background services over the engine: `python -m workers <service>`."""
