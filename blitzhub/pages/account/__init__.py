"""The account page: bots' keys and signed-in browsers."""
