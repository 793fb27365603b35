"""Makes episodes part of a dataset: completely or not at all, whenever it is interrupted."""
