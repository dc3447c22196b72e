"""The operators' first page."""
