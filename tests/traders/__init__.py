"""Simulated traders: clients of the public HTTP API, labelled as simulated wherever they appear."""
