"""The launch page: a token's name, picture and first buy."""
