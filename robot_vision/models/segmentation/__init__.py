"""Networks for classes of pixels, one per file."""
