"""Action heads: a file each that registers itself; `head` is the interface."""
