"""One reader a file, each for a kind of set that people have; `SETS` finds them here."""
