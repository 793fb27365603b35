"""Action heads; each is a file that registers itself. `head` is the interface."""
