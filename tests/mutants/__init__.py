"""Known bugs, planted one at a time: the tests must find each."""
