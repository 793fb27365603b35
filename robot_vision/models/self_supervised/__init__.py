"""Encoders for training without labels, each with the extra parts of its method."""
