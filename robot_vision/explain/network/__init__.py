"""A network read from outside while it runs: its layers, its attention, its tokens."""
