"""The board: every token in three columns."""
