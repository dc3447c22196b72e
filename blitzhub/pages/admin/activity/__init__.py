"""What happened on the platform: figures over time, tokens, cohorts, and the rows behind each figure."""
