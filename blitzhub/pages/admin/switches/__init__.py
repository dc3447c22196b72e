"""The switches: what operators can stop, and what is stopped."""
