"""Models that put pictures and words into one space."""
