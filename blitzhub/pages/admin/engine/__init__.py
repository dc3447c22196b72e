"""The engine room: who works, what waits, how fast it goes."""
