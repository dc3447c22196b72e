"""Files that say what the code writes, compared by tests."""
