"""Measurements of the running parts, repeatable by one command each; see docs/PERFORMANCE.md."""
