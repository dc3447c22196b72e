"""Parts that every page draws with: typed functions over class names, and three small browser components."""
