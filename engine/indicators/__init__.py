"""Figures computed from trades: candles and token metrics. Pure."""
