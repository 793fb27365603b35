"""Networks with state from frame to frame, one per file."""
