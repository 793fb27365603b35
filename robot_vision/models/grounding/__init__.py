"""Networks that find what a phrase names, one per file."""
