"""Pictures and words in one space, as a bundle puts them there; no torch."""
