"""Finders of batch size and learning rate."""
