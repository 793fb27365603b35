"""Models that embed pictures and words in one space."""
