"""The token page: chart, trading, tape, holders and one's own orders of one token."""
