"""Networks for depth from colour, one per file."""
