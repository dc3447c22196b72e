"""One package per page: its component, State and parts."""
