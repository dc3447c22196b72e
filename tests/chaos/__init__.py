"""The live market under faults: `python -m tests.chaos`; a short form runs with the tests."""
