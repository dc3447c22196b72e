"""Browser tests: the built app in headless Chromium."""
