"""Orders and how they are decided: the pure rules, and the batch that applies them in one transaction."""
