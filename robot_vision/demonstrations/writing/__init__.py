"""Episodes become part of a dataset: whole or not at all, whatever is cut off when."""
