"""Writes the golden files anew: `python -m tests.golden`. Look at the difference before committing it."""

from tests.golden.migrations import GOLDEN, oracle_sql

if __name__ == "__main__":
    GOLDEN.write_text(oracle_sql())
