"""Search, distances, duplicates, novelty, regions."""
