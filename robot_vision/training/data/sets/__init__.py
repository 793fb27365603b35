"""One reader per file, each for a common kind of set; `SETS` finds them here."""
